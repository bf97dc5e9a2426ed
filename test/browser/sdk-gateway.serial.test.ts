import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { needs } from '../support/needs.ts';
import { converse, microphone } from './conversation.ts';
import { withGatewayWorld } from './gateway-world.ts';

const test = suite("the vendor's SDK in a browser, through the gateway");
const NAME = 'talks with an agent while the key is seen nowhere';

if (needs(NAME, 'chromium')) {
  test(NAME, () =>
    withGatewayWorld(microphone(), async ({ page, urls, metric }) => {
      await converse(page, urls);
      assert.is(await metric('agent_page_connections_total'), 1);
      assert.is(await metric('agent_pages_links_lost_total'), 0);
    }),
  );
}

test.run();
