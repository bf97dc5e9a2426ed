import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseWav, wavToPcm } from '../../src/audio/wav.ts';
import { systemClock } from '../../src/core/clock.ts';
import type { GatewayError } from '../../src/core/errors.ts';
import { AccountGuard } from '../../src/platform/account-guard.ts';
import { RealtimeAuth } from '../../src/platform/realtime-auth.ts';
import { RealtimeConnection, RealtimeCounters } from '../../src/platform/realtime-connection.ts';
import { buildSttRequest } from '../../src/platform/stt-request.ts';
import { Transcriber, type Transcript } from '../../src/speech/transcriber.ts';
import { makeRandom } from '../audio/prng.ts';
import { ScriptedPlatform, type SttPayload } from '../support/scripted-platform.ts';
import { rejection, until } from '../support/until.ts';

interface World {
  platform: ScriptedPlatform;
  transcriber: Transcriber;
  counters: RealtimeCounters;
  submit: (number: number, callId: string) => Promise<Transcript>;
}

/** Each utterance is 10 ms of one value, so that a transcript can be traced to the samples it came from. */
const toPcm = (number: number): Int16Array => new Int16Array(80).fill(number);
const numberOf = ({ audioBase64 }: SttPayload): number => wavToPcm(parseWav(Buffer.from(audioBase64, 'base64')))[40]!;

const test = suite<World>('transcriber on the platform');

test.before.each(async (world) => {
  const platform = await ScriptedPlatform.start();
  const counters = new RealtimeCounters();
  const auth = new RealtimeAuth('sk_live_transcriber_key');
  const clock = systemClock;
  const transcriber = new Transcriber({
    connect: (onClosed) => RealtimeConnection.open({ url: platform.realtimeUrl, auth, clock, counters, onClosed }),
    encode: (pcm, sampleRate) => buildSttRequest(pcm, sampleRate, { language: 'ar', format: 'linear16-8000' }),
    clock,
    guard: new AccountGuard(),
    random: () => 0,
  });
  Object.assign(world, { platform, counters, transcriber });
  world.submit = (number, callId) =>
    transcriber.submit({
      id: String(number),
      callId,
      pcm: toPcm(number),
      sampleRate: 8000,
      startMs: 0,
      endMs: 10,
      decidedAtMs: clock.nowMs(),
    });
});

test.after.each(async ({ transcriber, platform }) => {
  transcriber.close();
  await platform.close();
});

test('an utterance whose socket is closed under it is sent again over another', async ({ platform, submit }) => {
  platform.onStt = (payload, connection) => {
    if (connection === platform.connections[0]) connection.close(1011);
    else connection.send(`heard ${numberOf(payload)}`);
  };
  assert.is((await submit(7, 'call')).text, 'heard 7');
  assert.is(platform.connections.length, 2);
});

test('a close with 1000 is an empty transcript and is not sent again', async ({ platform, submit }) => {
  platform.onStt = (_payload, connection) => connection.close(1000);
  assert.is((await submit(7, 'call')).text, '');
  assert.is(platform.connections.length, 1);
});

test('a key refused in the header only at the first request costs no utterance', async ({ platform, submit }) => {
  platform.onStt = (payload, connection) => {
    if (connection.handshake.carrier === 'header') connection.close(4001);
    else connection.send(`heard ${numberOf(payload)}`);
  };
  assert.is((await submit(7, 'call')).text, 'heard 7');
});

test('a wallet that empties rejects all that wait, over all calls', async ({ platform, submit }) => {
  platform.onStt = (_payload, connection) => {
    connection.sendError('Insufficient funds');
    connection.close(4003);
  };
  const results = [1, 2, 3, 4, 5].map((number) => rejection(submit(number, `call-${number}`)));
  for (const error of await Promise.all(results)) assert.is((error as GatewayError).code, 'ERR_PLATFORM_WALLET');
  assert.ok(platform.connections.length <= 2);
});

test('through closes, errors, markers and late answers every call hears its own words, in order', async (world) => {
  const { platform, submit, transcriber } = world;
  const random = makeRandom(20_260_101);
  const tries = new Map<number, number>();
  platform.onStt = (payload, connection) => {
    const number = numberOf(payload);
    const attempt = (tries.get(number) ?? 0) + 1;
    tries.set(number, attempt);
    const dice = attempt === 1 ? random() : 1;
    if (dice < 0.05) connection.cut();
    else if (dice < 0.1) connection.close(1001);
    else if (dice < 0.15) connection.sendError('Error generating transcription: out of memory');
    else {
      if (dice < 0.3) connection.send('[THINKING]');
      setImmediate(() => connection.send(`heard ${number}`));
    }
  };
  const order = new Map<string, number[]>();
  const results = Array.from({ length: 200 }, async (_, index) => {
    const number = 1000 + index;
    const callId = `call-${index % 20}`;
    const { text } = await submit(number, callId);
    assert.is(text, `heard ${number}`);
    order.set(callId, [...(order.get(callId) ?? []), number]);
  });
  await Promise.all(results);
  for (const numbers of order.values())
    assert.equal(
      numbers,
      [...numbers].sort((a, b) => a - b),
    );
  assert.ok(transcriber.statistics.retries > 10, `${transcriber.statistics.retries} retries`);
  assert.equal([transcriber.statistics.queued, transcriber.statistics.inFlight], [0, 0]);
  assert.is(world.counters.strayTranscripts, 0);
});

test('a warm connection is there before the first utterance', async ({ platform, submit, transcriber }) => {
  platform.onStt = (payload, connection) => connection.send(`heard ${numberOf(payload)}`);
  const release = transcriber.warm();
  await until(() => transcriber.statistics.sockets === 1, 'the warm connection');
  assert.is((await submit(7, 'call')).text, 'heard 7');
  assert.is(platform.connections.length, 1);
  release();
});

test.run();
