// timeout: 120 s
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { needs } from '../support/needs.ts';
import { until } from '../support/until.ts';
import { withGatewayWorld } from './gateway-world.ts';
import { assertNothingUncaught, FIRST, microphone, ofType, PROMPT_MS, untilAnswered } from './lost-link.ts';

const test = suite("the vendor's SDK in a browser, when it loses the gateway");
const NAME = 'the page is told at once, the platform’s link is broken too, and the token leads back';

if (needs(NAME, 'chromium')) {
  test(NAME, () =>
    withGatewayWorld(microphone(60_000), async ({ page, urls, gateway, pageLink, platformLink, metric }) => {
      await page.talk({ ...urls, agentId: 'agent-1', toolAnswer: '' });
      await page.until('speaking');
      const cutAtMs = Date.now();
      pageLink.cut();
      const closed = await page.until('closed', 1, 5_000);
      assert.ok(closed.at - cutAtMs < PROMPT_MS, `told after ${closed.at - cutAtMs} ms`);
      assert.is(await page.liveMicrophones(), 0);
      await until(() => platformLink.open === 0, 'the end of the platform’s link', PROMPT_MS);
      assert.is(await metric('agent_pages'), 0);

      await page.talkAgain();
      await untilAnswered(page, FIRST, 3);
      await page.end();
      await page.until('callEnded');
      await until(() => platformLink.open === 0, 'the end of the platform’s link');
      assert.is((await page.jobDetails())['status'], 'COMPLETED');
      assert.is(gateway.log().split('the conversation of a session began').length - 1, 1, 'it is one conversation');
      assert.is((await ofType(page, 'closed')).length, 3, 'one for the break, and two that the SDK tells of an end');
      assert.is(await metric('agent_pages_links_lost_total'), 0);
      await assertNothingUncaught(page);
    }),
  );
}

test.run();
