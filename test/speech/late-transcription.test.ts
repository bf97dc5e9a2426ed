import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type ErrorCode, GatewayError } from '../../src/core/errors.ts';
import { EventBus, type GatewayEvent } from '../../src/core/events.ts';
import { createLogger } from '../../src/core/logger.ts';
import { PlatformError } from '../../src/platform/platform-errors.ts';
import { LateTranscription } from '../../src/speech/late-transcription.ts';
import { toPart, type Transcript, type Utterance } from '../../src/speech/utterance.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { until } from '../support/until.ts';

const CALL = '00000000-0000-4000-8000-000000000001';

/** A transcriber whose every answer the test gives. */
class FakeTranscriber {
  isAway = false;
  readonly submitted: {
    utterance: Utterance;
    resolve: (text: string) => void;
    reject: (error: GatewayError) => void;
  }[] = [];

  submit(utterance: Utterance): Promise<Transcript> {
    return new Promise((resolve, reject) => {
      const parts = [toPart(utterance)];
      this.submitted.push({
        utterance,
        resolve: (text) => resolve({ text, parts, sttQueueMs: 0, sttMs: 0 }),
        reject,
      });
    });
  }
}

interface World {
  folder: string;
  clock: FakeClock;
  transcriber: FakeTranscriber;
  events: GatewayEvent[];
  late: LateTranscription;
  /** Whether callers leave some of the quota. */
  quota: { hasRoom: boolean };
  open: (maxBytes?: number) => Promise<LateTranscription>;
}

const test = suite<World>('late transcription');

test.before.each(async (world) => {
  world.folder = await mkdtemp(join(tmpdir(), 'late-'));
  world.clock = new FakeClock();
  world.transcriber = new FakeTranscriber();
  world.events = [];
  world.quota = { hasRoom: true };
  world.open = async (maxBytes) => {
    const { clock, transcriber, folder, quota } = world;
    const bus = new EventBus(clock);
    bus.subscribe((event) => world.events.push(event));
    world.late = new LateTranscription({
      clock,
      events: bus,
      logger: createLogger('silent'),
      transcriber,
      hasRoom: () => quota.hasRoom,
      folder,
      ...(maxBytes === undefined ? {} : { maxBytes }),
    });
    await world.late.open();
    return world.late;
  };
});
test.after.each(async ({ folder, late }) => {
  await late.close();
  await rm(folder, { recursive: true });
});

const away = new GatewayError('ERR_PLATFORM_CIRCUIT', 'the platform is away');

function utterance(world: World, id: string, samples = 8_000): Utterance {
  const pcm = Int16Array.from({ length: samples }, (_, index) => (index * 7 + id.charCodeAt(0)) % 30_000);
  const nowMs = world.clock.nowMs();
  const times = { startMs: 100, endMs: 600, decidedAtMs: nowMs, voicedAtMs: nowMs - 500 };
  return { id, callId: CALL, pcm, sampleRate: 16_000, ...times };
}

async function submitted(world: World, count: number): Promise<FakeTranscriber['submitted'][number]> {
  await until(() => world.transcriber.submitted.length >= count, `utterance ${count} at the transcriber`);
  return world.transcriber.submitted[count - 1]!;
}

test('what is kept is transcribed for nobody who waits, with its own samples, and told once, late', async (world) => {
  const late = await world.open();
  const spoken = utterance(world, 'a');
  const samples = spoken.pcm.slice();
  assert.ok(late.keep(spoken, away));
  const replay = await submitted(world, 1);
  assert.equal(replay.utterance.pcm, samples);
  assert.equal([replay.utterance.priority, replay.utterance.sampleRate], ['batch', 16_000]);
  assert.not.equal(replay.utterance.callId, CALL, 'what its call says now does not wait for it');
  world.clock.advance(60_000);
  replay.resolve('said before');
  await until(() => world.events.length > 0, 'the transcript');
  const { at: _at, ...event } = world.events[0]!;
  assert.equal(event, {
    type: 'transcript.final',
    callId: CALL,
    text: 'said before',
    startMs: 100,
    endMs: 600,
    latencyMs: 60_500,
    utterances: [{ id: 'a', startMs: 100, endMs: 600 }],
    late: true,
  });
  assert.equal([late.storedUtterances, late.storedBytes, late.replayed], [0, 0, 1]);
});

test('what an earlier process kept is transcribed by the next, oldest first', async (world) => {
  const first = await world.open();
  first.stop();
  for (const id of ['c', 'a', 'b']) assert.ok(first.keep(utterance(world, id), away));
  await first.close();
  world.clock.advance(3_600_000);
  const second = await world.open();
  assert.is(second.storedUtterances, 3);
  const order: string[] = [];
  for (let count = 1; count <= 3; count++) {
    const { utterance: replayed, resolve } = await submitted(world, count);
    order.push(replayed.id);
    resolve(replayed.id);
    await until(() => world.events.length === count, 'the transcript');
  }
  assert.equal(order, ['c', 'a', 'b']);
  assert.is(world.events[0]!.type === 'transcript.final' && world.events[0]!.latencyMs, 3_600_500);
});

test('beyond the bound the oldest give way, each with one error that names it', async (world) => {
  world.transcriber.isAway = true;
  world.quota.hasRoom = false;
  const late = await world.open(60_000);
  for (const id of ['a', 'b', 'c', 'd']) {
    assert.ok(late.keep(utterance(world, id), away));
    await until(() => late.storedUtterances > 0, 'the write');
  }
  await until(() => world.events.length === 2, 'the errors');
  assert.equal(
    world.events.map((event) => event.type === 'error' && [event.code, event.utteranceId, event.callId]),
    [
      ['ERR_STT_STORE_FULL', 'a', CALL],
      ['ERR_STT_STORE_FULL', 'b', CALL],
    ],
  );
  assert.equal([late.storedUtterances, late.dropped], [2, 2]);
  assert.ok(late.storedBytes <= 60_000);
});

test('while the platform is away one at a time tries, another each time; once it is back, two', async (world) => {
  world.transcriber.isAway = true;
  const late = await world.open();
  for (const id of ['a', 'b', 'c']) late.keep(utterance(world, id), away);
  await until(() => late.storedUtterances === 3, 'the writes');
  const lost = new GatewayError('ERR_STT_FAILED', {
    found: 'lost',
    cause: new PlatformError('ERR_PLATFORM_UNAVAILABLE', ''),
  });
  const tried: string[] = [];
  for (let count = 1; count <= 4; count++) {
    const { utterance: replayed, reject } = await submitted(world, count);
    tried.push(replayed.id);
    reject(lost);
  }
  assert.equal(tried, ['a', 'b', 'c', 'a']);
  const probe = await submitted(world, 5);
  assert.is(world.transcriber.submitted.length, 5);
  world.transcriber.isAway = false;
  probe.resolve('back');
  await submitted(world, 7);
  assert.is(world.transcriber.submitted.length, 7);
  assert.is(world.events.filter(({ type }) => type === 'error').length, 0);
});

test('one that the platform can not do while it does others ends in one error after three tries', async (world) => {
  const late = await world.open();
  late.keep(utterance(world, 'poison'), away);
  const lost = new GatewayError('ERR_STT_FAILED', {
    found: 'lost',
    cause: new PlatformError('ERR_PLATFORM_UNAVAILABLE', ''),
  });
  for (let count = 1; count <= 3; count++) {
    (await submitted(world, count)).reject(lost);
    await new Promise((resolve) => setTimeout(resolve));
    await until(() => world.clock.timers > 0 || world.events.length > 0, 'the pause');
    world.clock.advance(10_000);
  }
  await until(() => world.events.length === 1, 'the error');
  const [error] = world.events;
  assert.equal(error?.type === 'error' && [error.code, error.utteranceId], ['ERR_STT_FAILED', 'poison']);
  assert.is(late.storedUtterances, 0);
});

test('while the account is refused stored utterances stay', async (world) => {
  const late = await world.open();
  late.keep(utterance(world, 'a'), away);
  for (let count = 1; count <= 5; count++) {
    (await submitted(world, count)).reject(new PlatformError('ERR_PLATFORM_WALLET', 'Insufficient funds'));
    await until(() => world.clock.timers > 0, 'the pause');
    world.clock.advance(10_000);
  }
  (await submitted(world, 6)).resolve('topped up');
  await until(() => world.events.length === 1, 'the transcript');
  assert.is(world.events[0]!.type, 'transcript.final');
});

test('callers need the quota more', async (world) => {
  world.quota.hasRoom = false;
  const late = await world.open();
  late.keep(utterance(world, 'a'), away);
  await until(() => late.storedUtterances === 1, 'the write');
  world.clock.advance(5_000);
  assert.is(world.transcriber.submitted.length, 0);
  world.quota.hasRoom = true;
  world.clock.advance(1_000);
  await submitted(world, 1);
});

test('an utterance that is with the transcriber when the process stops is there for the next', async (world) => {
  const late = await world.open();
  late.keep(utterance(world, 'a'), away);
  const replay = await submitted(world, 1);
  late.stop();
  const closing = new GatewayError('ERR_SHUTTING_DOWN', 'closed');
  assert.not(late.keep(replay.utterance, closing), 'it is on disk already');
  replay.reject(closing);
  await late.close();
  assert.is((await world.open()).storedUtterances, 1);
  assert.is(world.events.length, 0);
});

const causes: readonly (readonly [boolean, ErrorCode, ErrorCode?])[] = [
  [true, 'ERR_PLATFORM_CIRCUIT'],
  [true, 'ERR_SHUTTING_DOWN'],
  [true, 'ERR_STT_BACKLOG'],
  [true, 'ERR_STT_FAILED', 'ERR_PLATFORM_UNAVAILABLE'],
  [true, 'ERR_STT_FAILED', 'ERR_PLATFORM_RATE'],
  [true, 'ERR_STT_FAILED', 'ERR_QUOTA_WAIT'],
  [false, 'ERR_STT_FAILED', 'ERR_PLATFORM_TIMEOUT'],
  [false, 'ERR_STT_FAILED', 'ERR_PLATFORM_REQUEST'],
  [false, 'ERR_STT_FAILED'],
  [false, 'ERR_PLATFORM_WALLET'],
  [false, 'ERR_PLATFORM_AUTH'],
  [false, 'ERR_ABORTED'],
];
for (const [isKept, code, causeCode] of causes) {
  test(`${code}${causeCode ? ` for ${causeCode}` : ''} is ${isKept ? '' : 'not '}kept`, async (world) => {
    const late = await world.open();
    const cause = causeCode && new GatewayError(causeCode, 'why');
    assert.is(late.keep(utterance(world, 'a'), new GatewayError(code, { found: 'it', cause })), isKept);
  });
}

test('a folder that another process has open keeps nothing, and the gateway goes on', async (world) => {
  const first = await world.open();
  const second = await world.open();
  assert.not(second.keep(utterance(world, 'a'), away));
  await second.close();
  world.late = first;
});

test.run();
