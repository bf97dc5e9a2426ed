import { suite } from 'uvu';
import { KEY, withPlatform } from '../local-platform/platform.ts';
import { needs } from '../support/needs.ts';
import { converse, microphone } from './conversation.ts';
import { SdkPage } from './sdk-page.ts';

const test = suite("the vendor's SDK in a browser");
const NAME = 'talks with an agent of the local platform: audio, tool, interruption, end';

if (needs(NAME, 'chromium')) {
  test(NAME, () =>
    withPlatform(async ({ url, agentUrl }) => {
      const page = await SdkPage.open(microphone());
      try {
        await converse(page, { key: KEY, apiUrl: url, wsUrl: agentUrl });
      } finally {
        await page.close();
      }
    }),
  );
}

test.run();
