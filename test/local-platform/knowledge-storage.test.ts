import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { withPlatform, type TestPlatform } from './platform.ts';

const test = suite('knowledge base storage');
const PATH = '/v1/voice-agents/knowledge-base';

async function create(platform: TestPlatform, body: object): Promise<{ status: number; text: string; id: string }> {
  const answer = await platform.post(PATH, body);
  const text = await answer.text();
  return { status: answer.status, text, id: (JSON.parse(text) as { data?: { id: string } }).data?.id ?? '' };
}

test('the tier’s storage counts bytes, not characters, and what is deleted makes room', () =>
  withPlatform(
    async (platform) => {
      const content = 'م'.repeat(5000);
      let last = await create(platform, { type: 'TEXT', name: 'n', content });
      let kept = 0;
      for (; last.status === 200; kept++) last = await create(platform, { type: 'TEXT', name: 'n', content });
      assert.is(kept, Math.floor(1_048_576 / 10_001));
      const { error } = JSON.parse(last.text) as { error: { code: string; message: string; details: object } };
      assert.equal([last.status, error.code], [400, '10400']);
      assert.equal(error.details, {
        tier: 'free',
        limitBytes: 1_048_576,
        usedBytes: kept * 10_001,
        neededBytes: 10_001,
      });
    },
    { apiQuota: 10_000 },
  ));

test('a larger tier holds more', () =>
  withPlatform(
    async (platform) => {
      const file = { type: 'FILE', name: 'menu.pdf', content: 'x'.repeat(4_000_000) };
      const first = await create(platform, file);
      assert.is(first.status, 200);
      assert.is((await create(platform, file)).status, 400);
      const answer = await fetch(`${platform.url}${PATH}/${first.id}`, {
        method: 'DELETE',
        headers: { 'x-api-key': 'sk_test_0123456789abcdef' },
      });
      assert.is(answer.status, 200);
      assert.is((await create(platform, file)).status, 200);
    },
    { tier: 'starter' },
  ));

test('the guide’s limits of an item are kept', () =>
  withPlatform(async (platform) => {
    const urls = (count: number): string[] => Array.from({ length: count }, (_, i) => `https://a.example/${i}`);
    const cases: [object, number][] = [
      [{ type: 'TEXT', content: 'x'.repeat(49) }, 400],
      [{ type: 'TEXT', content: 'x'.repeat(50) }, 200],
      [{ type: 'TEXT', content: 'x'.repeat(5000) }, 200],
      [{ type: 'TEXT', content: 'x'.repeat(5001) }, 400],
      [{ type: 'TEXT' }, 400],
      [{ type: 'FILE', url: 'https://a.example/menu.pdf?v=1' }, 200],
      [{ type: 'FILE', name: 'menu.EPUB' }, 200],
      [{ type: 'FILE', name: 'menu.docs' }, 200],
      [{ type: 'FILE', name: 'menu.exe' }, 400],
      [{ type: 'FILE', url: 'https://a.example/menu' }, 400],
      [{ type: 'URL', urls: urls(100) }, 200],
      [{ type: 'URL', urls: urls(101) }, 400],
      [{ type: 'URL', url: 'ftp://a.example/' }, 400],
      [{ type: 'URL' }, 400],
    ];
    for (const [body, status] of cases)
      assert.is((await create(platform, body)).status, status, JSON.stringify(body).slice(0, 80));
    const { id } = await create(platform, { type: 'URL', urls: urls(99) });
    assert.is((await platform.post(`${PATH}/${id}/url`, { url: 'https://b.example/1' })).status, 200);
    assert.is(
      (await platform.post(`${PATH}/${id}/url`, { url: 'https://b.example/1' })).status,
      200,
      'it is there already',
    );
    assert.is((await platform.post(`${PATH}/${id}/url`, { url: 'https://b.example/2' })).status, 400);
  }));

test.run();
