import * as assert from 'uvu/assert';
import { KEY, type TestPlatform, withPlatform } from '../local-platform/platform.ts';
import { type ServedGateway, serveGateway } from '../support/serve.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { SdkPage, type TalkOptions } from './sdk-page.ts';

const TOKEN = 'gateway-token-0123456789';

/** A page, the gateway and the local platform, joined by networks that can break. */
export interface GatewayWorld {
  readonly page: SdkPage;
  readonly gateway: ServedGateway;
  /** With a token of the gateway. */
  readonly urls: Omit<TalkOptions, 'agentId' | 'toolAnswer'>;
  /** Between page and gateway. */
  readonly pageLink: TcpProxy;
  /** Between gateway and platform. */
  readonly platformLink: TcpProxy;
  readonly metric: (name: string) => Promise<number>;
}

/** Afterwards the key and the gateway's own token are searched for in everything that was seen and logged. */
export async function withGatewayWorld(
  microphone: Int16Array,
  use: (world: GatewayWorld) => Promise<void>,
): Promise<void> {
  await withPlatform(async (platform) => {
    const platformLink = await TcpProxy.before(platform.agentUrl);
    const gateway = await serveGateway({
      HAMSA_API_KEY: KEY,
      HAMSA_BASE_URL: platform.url,
      HAMSA_AGENT_URL: platformLink.through(platform.agentUrl),
      GATEWAY_TOKEN: TOKEN,
      GATEWAY_LOG_LEVEL: 'trace',
    });
    const pageLink = await TcpProxy.before(gateway.http);
    const page = await SdkPage.open(microphone);
    try {
      const response = await fetch(pageLink.through(`${gateway.http}/v1/agent-sessions`), {
        method: 'POST',
        headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
        body: JSON.stringify({ agentId: 'agent-1' }),
      });
      const session = (await response.json()) as { token: string; apiUrl: string; wsUrl: string };
      const metrics = async (): Promise<string> =>
        (await fetch(`${gateway.http}/metrics`, { headers: { authorization: `Bearer ${TOKEN}` } })).text();
      await use({
        page,
        gateway,
        urls: { key: session.token, apiUrl: session.apiUrl, wsUrl: session.wsUrl },
        pageLink,
        platformLink,
        metric: async (name) => Number(new RegExp(`^hamsa_gateway_${name} (\\S+)`, 'm').exec(await metrics())?.[1]),
      });
      assertUnseen(page, gateway, platform, session.token, await metrics());
    } finally {
      await page.close();
      await gateway.stop();
      await pageLink.close();
      await platformLink.close();
    }
  });
}

function assertUnseen(
  page: SdkPage,
  gateway: ServedGateway,
  platform: TestPlatform,
  sessionToken: string,
  metrics: string,
): void {
  const gatewayLog = gateway.log();
  assert.match(gatewayLog, 'a page is connected to its agent');
  assert.ok(
    page.seen.some((text) => text.includes(sessionToken)),
    'what is searched holds what the page uses',
  );
  for (const secret of [KEY, TOKEN]) {
    const spellings = [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64')];
    const places = { page: page.seen.join('\n'), gatewayLog, platformLog: platform.lines.join('\n'), metrics };
    for (const [place, text] of Object.entries(places)) {
      for (const spelling of spellings) assert.not.ok(text.includes(spelling), `a secret is in ${place}`);
    }
  }
  assert.not.ok(gatewayLog.includes(sessionToken), 'the token is in the log');
}
