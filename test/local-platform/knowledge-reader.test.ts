import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { KEY, type TestPlatform, until, withPlatform } from './platform.ts';
import { Receiver } from './receiver.ts';

const test = suite('what is behind the addresses of knowledge items');
const PATH = '/v1/voice-agents/knowledge-base';
const MIB = 1_048_576;

interface Item {
  readonly id: string;
  readonly type: string;
  readonly name: string;
  readonly status: string;
  readonly error: string | null;
  readonly sizeBytes: number;
  readonly urls: readonly string[];
}

async function ask(
  platform: TestPlatform,
  path: string,
  init: Omit<RequestInit, 'headers'> & { readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<{ status: number; item: Item }> {
  const headers = { authorization: `Token ${KEY}`, ...init.headers };
  const answer = await fetch(platform.url + path, { ...init, headers });
  return { status: answer.status, item: ((await answer.json()) as { data: Item }).data };
}

function send(
  platform: TestPlatform,
  path: string,
  body: object,
  method = 'POST',
): Promise<{ status: number; item: Item }> {
  const headers = { 'content-type': 'application/json' };
  return ask(platform, path, { method, headers, body: JSON.stringify(body) });
}

/** The item once it is read. */
async function read(platform: TestPlatform, id: string): Promise<Item> {
  for (;;) {
    const { item } = await ask(platform, `${PATH}/${id}`);
    if (item.status !== 'PROCESSING') return item;
    await new Promise(setImmediate);
  }
}

async function withReceiver(
  run: (platform: TestPlatform, receiver: Receiver) => Promise<void>,
  allowPrivateUrls = true,
): Promise<void> {
  const receiver = await Receiver.start();
  try {
    await withPlatform((platform) => run(platform, receiver), { allowPrivateUrls, apiQuota: 100_000 });
  } finally {
    await receiver.close();
  }
}

test('is fetched, counted, and fetched again when it changes', () =>
  withReceiver(async (platform, receiver) => {
    receiver.answer = ({ url }) => ({ body: 'x'.repeat(url === '/a' ? 1000 : 200) });
    const urls = [`${receiver.url}/a`, `${receiver.url}/b`];
    const { item } = await send(platform, PATH, { type: 'URL', name: 'Site', urls });
    assert.equal([item.status, item.error], ['PROCESSING', null]);
    const texts = Buffer.byteLength(`Site${urls.join('')}`);
    assert.is(item.sizeBytes, texts);
    const ready = await read(platform, item.id);
    assert.equal([ready.status, ready.sizeBytes], ['READY', texts + 1200]);
    assert.equal(
      receiver.received.map(({ method, url }) => `${method} ${url}`),
      ['GET /a', 'GET /b'],
    );

    const added = await send(platform, `${PATH}/${item.id}/url`, { url: `${receiver.url}/c` });
    assert.is(added.item.status, 'PROCESSING');
    assert.is((await read(platform, item.id)).sizeBytes, texts + `${receiver.url}/c`.length + 1400);
    const { item: file } = await send(platform, PATH, { type: 'FILE', url: `${receiver.url}/a`.concat('.pdf') });
    assert.is((await read(platform, file.id)).status, 'READY');
    const { item: text } = await send(platform, PATH, { type: 'TEXT', content: 'x'.repeat(50) });
    assert.is(text.status, 'READY');
  }));

test('fails the item when it is not there, too large, too much for the storage, or may not be called', async () => {
  await withReceiver(async (platform, receiver) => {
    const failure = async (): Promise<string> => {
      const { item } = await send(platform, PATH, { type: 'URL', url: receiver.url });
      const failed = await read(platform, item.id);
      assert.is(failed.status, 'FAILED');
      return failed.error ?? '';
    };
    receiver.answer = () => ({ status: 404 });
    assert.is(await failure(), 'Page 1 answered 404');
    receiver.answer = () => ({ body: 'x'.repeat(9 * MIB) });
    assert.match(await failure(), /8388608 bytes/);
    receiver.answer = () => ({ body: 'x'.repeat(MIB) });
    assert.is(await failure(), 'The storage of the knowledge base is full');
    receiver.answer = () => ({ body: 'x'.repeat(MIB - 1000) });
    const { item } = await send(platform, PATH, { type: 'URL', url: receiver.url });
    assert.is((await read(platform, item.id)).status, 'READY', 'what failed takes no room');
  });
  await withReceiver(async (platform, receiver) => {
    const { item } = await send(platform, PATH, { type: 'URL', url: `${receiver.url}/secret` });
    const refused = await read(platform, item.id);
    assert.is(refused.status, 'FAILED');
    assert.match(refused.error ?? '', /private|loopback|address/i);
    assert.equal(receiver.received, []);
  }, false);
});

test('is not waited for by whoever changes or deletes the item meanwhile', () =>
  withReceiver(async (platform, receiver) => {
    receiver.answer = ({ url }) => (url === '/slow' ? undefined : { body: 'xx' });
    const { item } = await send(platform, PATH, { type: 'URL', name: 'n', url: `${receiver.url}/slow` });
    await until('the request', () => receiver.received.length === 1);
    const url = `${receiver.url}/fast`;
    await send(platform, `${PATH}/${item.id}`, { url }, 'PATCH');
    assert.is((await read(platform, item.id)).sizeBytes, 1 + url.length + 2);
    const { item: other } = await send(platform, PATH, { type: 'URL', url: `${receiver.url}/slow` });
    assert.is((await ask(platform, `${PATH}/${other.id}`, { method: 'DELETE' })).status, 200);
  }));

test('a status or a size that a client sends is not taken', () =>
  withReceiver(async (platform) => {
    const fields = { status: 'FAILED', error: 'e', sizeBytes: 0, pageBytes: -5, contentVersion: 'x' };
    const { item } = await send(platform, PATH, { type: 'TEXT', name: 'n', content: 'x'.repeat(50), ...fields });
    assert.equal([item.status, item.error, item.sizeBytes], ['READY', null, 51]);
    const changed = await send(platform, `${PATH}/${item.id}`, fields, 'PATCH');
    assert.equal([changed.status, changed.item.status, changed.item.sizeBytes], [200, 'READY', 51]);
  }));

test('a file may be uploaded as a form, is checked, and counts', () =>
  withReceiver(async (platform) => {
    const upload = async (
      fileName: string,
      bytes: number,
      fields: Record<string, string> = {},
    ): Promise<{ status: number; item: Item }> => {
      const form = new FormData();
      for (const [name, value] of Object.entries(fields)) form.set(name, value);
      form.set('file', new Blob([new Uint8Array(bytes)]), fileName);
      return ask(platform, PATH, { method: 'POST', body: form });
    };
    const { item } = await upload('menu.pdf', 1000);
    assert.equal([item.type, item.name, item.status, item.sizeBytes], ['FILE', 'menu.pdf', 'READY', 1008]);
    const named = await upload('menu.epub', 10, { type: 'FILE', name: 'Menu' });
    assert.equal([named.item.name, named.item.sizeBytes], ['Menu', 14]);
    const renamed = await send(platform, `${PATH}/${item.id}`, { name: 'M' }, 'PATCH');
    assert.is(renamed.item.sizeBytes, 1001, 'the file is still counted');
    assert.is((await upload('menu.exe', 10)).status, 400);
    assert.is((await upload('menu.pdf', MIB)).status, 400, 'no room');
    assert.is((await upload('menu.pdf', MIB - 2000)).status, 200);
    const broken = {
      method: 'POST',
      headers: { 'content-type': 'multipart/form-data; boundary=x' },
      body: '--x\r\nno form',
    };
    assert.is((await ask(platform, PATH, broken)).status, 400);
  }));

test.run();
