// timeout: 180 s
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { needs } from '../support/needs.ts';
import { until } from '../support/until.ts';
import { withGatewayWorld } from './gateway-world.ts';
import {
  assertHeardSince,
  assertNothingUncaught,
  FIRST,
  linkStates,
  microphone,
  ofType,
  PROMPT_MS,
  SECOND,
  untilAnswered,
  untilLink,
} from './lost-link.ts';

const test = suite("the vendor's SDK in a browser, when the gateway loses the platform");
const NAME = 'the link comes back within the call; if it can not, the page is told and its token leads back';

if (needs(NAME, 'chromium')) {
  test(NAME, () =>
    withGatewayWorld(microphone(9_000), async ({ page, urls, gateway, platformLink, metric }) => {
      await page.talk({ ...urls, agentId: 'agent-1', toolAnswer: '' });
      assert.is((await page.until('transcription')).value, FIRST.text);
      await page.until('speaking');
      const cutAtMs = Date.now();
      platformLink.cut();
      const toldAtMs = await untilLink(page, 'reconnecting', 5_000);
      assert.ok(toldAtMs - cutAtMs < PROMPT_MS, `told after ${toldAtMs - cutAtMs} ms`);
      const backAtMs = await untilLink(page, 'reconnected', 10_000);
      assert.is(await page.liveMicrophones(), 1);
      await untilAnswered(page, SECOND, 3);
      await assertHeardSince(page, backAtMs);
      assert.equal(await ofType(page, 'closed'), []);
      assert.equal(await linkStates(page), ['reconnecting', 'reconnected']);
      assert.is(platformLink.open, 1);

      platformLink.isDown = true;
      platformLink.cut();
      await untilLink(page, 'lost', 12_000);
      await page.until('closed', 1, PROMPT_MS);
      assert.is(await page.liveMicrophones(), 0);
      assert.is(await metric('agent_pages'), 0);

      platformLink.isDown = false;
      await page.talkAgain();
      await untilAnswered(page, FIRST, 4);
      await page.end();
      await page.until('callEnded');
      await until(() => platformLink.open === 0, 'the end of the platform’s link');
      assert.is((await page.jobDetails())['status'], 'COMPLETED');
      assert.is(await page.liveMicrophones(), 0);
      assert.is(gateway.log().split('the conversation of a session began').length - 1, 1, 'it is one conversation');
      assert.equal(await linkStates(page), ['reconnecting', 'reconnected', 'reconnecting', 'lost']);
      assert.equal(
        [await metric('agent_pages_links_lost_total'), await metric('agent_pages_reconnects_total')],
        [2, 1],
      );
      await assertNothingUncaught(page);
    }),
  );
}

test.run();
