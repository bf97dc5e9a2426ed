import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { KEY, withPlatform } from '../local-platform/platform.ts';
import { needs } from '../support/needs.ts';
import { serveGateway } from '../support/serve.ts';
import { converse, microphone } from './conversation.ts';
import { SdkPage } from './sdk-page.ts';

const test = suite("the vendor's SDK in a browser, through the gateway");
const NAME = 'talks with an agent while the key is seen nowhere';
const TOKEN = 'gateway-token-0123456789';

if (needs(NAME, 'chromium')) {
  test(NAME, () =>
    withPlatform(async (platform) => {
      const gateway = await serveGateway({
        HAMSA_API_KEY: KEY,
        HAMSA_BASE_URL: platform.url,
        HAMSA_AGENT_URL: platform.agentUrl,
        GATEWAY_TOKEN: TOKEN,
        GATEWAY_LOG_LEVEL: 'trace',
      });
      const page = await SdkPage.open(microphone());
      try {
        const response = await fetch(`${gateway.http}/v1/agent-sessions`, {
          method: 'POST',
          headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
          body: JSON.stringify({ agentId: 'agent-1' }),
        });
        const session = (await response.json()) as { token: string; apiUrl: string; wsUrl: string };
        await converse(page, { key: session.token, apiUrl: session.apiUrl, wsUrl: session.wsUrl });

        const metrics = await (
          await fetch(`${gateway.http}/metrics`, { headers: { authorization: `Bearer ${TOKEN}` } })
        ).text();
        assert.match(metrics, 'hamsa_gateway_agent_page_connections_total 1');
        const gatewayLog = gateway.log();
        assert.match(gatewayLog, 'a page is connected to its agent');
        assert.ok(
          page.seen.some((text) => text.includes(session.token)),
          'what is searched holds what the page uses',
        );
        for (const secret of [KEY, TOKEN]) {
          const spellings = [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64')];
          const places = { page: page.seen.join('\n'), gatewayLog, platformLog: platform.lines.join('\n'), metrics };
          for (const [place, text] of Object.entries(places)) {
            for (const spelling of spellings) assert.not.ok(text.includes(spelling), `a secret is in ${place}`);
          }
        }
        assert.not.ok(gatewayLog.includes(session.token), 'the token is in the log');
      } finally {
        await page.close();
        await gateway.stop();
      }
    }),
  );
}

test.run();
