import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { WebSocket, WebSocketServer } from 'ws';
import { sendMaskedText } from '../../src/platform/masked-text.ts';
import { until } from '../support/until.ts';

const test = suite('masked text');

/** Takes what is written when it is told to. */
class SlowSocket extends Writable {
  readonly taken: Buffer[] = [];
  readonly waiting: (() => void)[] = [];

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.waiting.push(() => {
      this.taken.push(Buffer.from(chunk));
      done();
    });
  }
}

function unmask(frame: Buffer, headerBytes: number): string {
  const key = frame.subarray(headerBytes - 4, headerBytes);
  return Buffer.from(frame.subarray(headerBytes).map((byte, i) => byte ^ key[i % 4]!)).toString();
}

test('a server takes messages of every form of the length, in order and whole, among those of ws', async () => {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  const heard: string[] = [];
  server.on('connection', (socket) =>
    socket.on('message', (data, isBinary) => heard.push(isBinary ? 'binary' : (data as Buffer).toString())),
  );
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const upgraded = once(client, 'upgrade');
  await once(client, 'open');
  const [{ socket }] = (await upgraded) as [IncomingMessage];
  const sent: string[] = [];
  for (const [index, length] of [1, 125, 126, 127, 65_535, 65_536, 300_001, 1_500_000, 1, 65_536].entries()) {
    const text = Buffer.alloc(length, `${index}ص`.slice(0, length)).toString();
    const bytes = Buffer.from(text);
    sendMaskedText(socket, bytes);
    // The caller's again.
    bytes.fill(0);
    client.send(`ws ${index}`);
    sent.push(text, `ws ${index}`);
  }
  await until(() => heard.length === sent.length, 'the messages');
  assert.ok(heard.every((text, index) => text === sent[index]));
  client.terminate();
  server.close();
});

test('what is still on its way is not overwritten by the next, and each has a key of its own', async () => {
  const socket = new SlowSocket();
  const texts = ['a', 'b', 'c', 'd', 'e', 'f'].map((letter) => letter.repeat(70_000));
  for (const text of texts) sendMaskedText(socket, Buffer.from(text));
  for (let taken = 1; taken <= texts.length; taken++) {
    socket.waiting.shift()?.();
    await until(() => socket.waiting.length > 0 || taken === texts.length, 'the next write');
    // Into the buffer that was just given back.
    if (taken === 1) sendMaskedText(new SlowSocket(), Buffer.from('x'.repeat(70_000)));
  }
  assert.equal(
    socket.taken.map((frame) => unmask(frame, 14)),
    texts,
  );
  assert.is(new Set(socket.taken.map((frame) => frame.subarray(10, 14).toString('hex'))).size, texts.length);
});

test.run();
