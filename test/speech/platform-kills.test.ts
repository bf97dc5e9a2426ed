// timeout: 120 s
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { systemClock as clock } from '../../src/core/clock.ts';
import type { GatewayError } from '../../src/core/errors.ts';
import { EventBus } from '../../src/core/events.ts';
import { createLogger } from '../../src/core/logger.ts';
import { AccountGuard } from '../../src/platform/account-guard.ts';
import { RealtimeAuth } from '../../src/platform/realtime-auth.ts';
import { RealtimeConnection, RealtimeCounters } from '../../src/platform/realtime-connection.ts';
import { buildSttRequest } from '../../src/platform/stt-request.ts';
import { LateTranscription } from '../../src/speech/late-transcription.ts';
import { Transcriber } from '../../src/speech/transcriber.ts';
import { makeRandom, pickSeed } from '../audio/prng.ts';
import { KillablePlatform } from '../support/killable-platform.ts';
import { until } from '../support/until.ts';

const UTTERANCES = 200;
const CALLS = 10;
const KILLS = 20;
/** As long as ten utterances take: before, between and after them. */
const KILL_WITHIN_MS = 200;
const SPEAKING_PERIOD_MS = 40;

const test = suite('a platform that is killed');

test('200 utterances, 20 kills at any moment: none lost, none twice, none mistaken for another', async () => {
  const seed = pickSeed();
  const random = makeRandom(seed);
  console.log(`# seed ${seed}`);
  const folder = await mkdtemp(join(tmpdir(), 'kills-'));
  const platform = await KillablePlatform.start();
  const auth = new RealtimeAuth('sk_live_key_of_the_kills');
  const events = new EventBus(clock);
  const counters = new RealtimeCounters();
  const url = `ws://127.0.0.1:${platform.port}/v1/realtime/ws`;
  const heard = new Map<string, string[]>();
  const note = (id: string, text: string): void => void heard.set(id, [...(heard.get(id) ?? []), text]);
  const transcriber = new Transcriber({
    clock,
    guard: new AccountGuard(),
    maxSockets: 4,
    connect: (onClosed) => RealtimeConnection.open({ url, auth, clock, counters, onClosed }),
    encode: (pcm, sampleRate) => buildSttRequest(pcm, sampleRate, { language: 'ar', format: 'linear16-8000' }),
    keep: (utterance, error) => late.keep(utterance, error),
    onOutage: () => late.resume(),
  });
  const late = new LateTranscription({
    clock,
    events,
    logger: createLogger('silent'),
    transcriber,
    hasRoom: () => true,
    folder,
  });
  await late.open();
  let lateOnes = 0;
  events.subscribe((event) => {
    if (event.type === 'error') note(event.utteranceId ?? '', event.message);
    if (event.type !== 'transcript.final') return;
    lateOnes++;
    for (const { id } of event.utterances) note(id, event.text);
  });

  let submitted = 0;
  const speak = (): void => {
    const number = submitted++;
    const [id, callId] = [String(number), `call-${number % CALLS}`];
    const pcm = new Int16Array(80).fill(1_000 + number);
    const spoken = { id, callId, pcm, sampleRate: 8_000, startMs: 0, endMs: 10, decidedAtMs: clock.nowMs() };
    transcriber.submit(spoken).then(
      ({ text }) => note(id, text),
      ({ code, message }: GatewayError) => code !== 'ERR_STT_DEFERRED' && note(id, message),
    );
  };
  for (let kills = 0; kills < KILLS; kills++) {
    await platform.ready();
    const killing = sleep(random() * KILL_WITHIN_MS).then(() => platform.kill(random() * KILL_WITHIN_MS));
    for (let count = 0; count < UTTERANCES / KILLS; count++) {
      speak();
      await sleep(random() * SPEAKING_PERIOD_MS);
    }
    await killing;
  }
  await until(() => heard.size === UTTERANCES, 'the last answer', 60_000);
  // What would be told twice has had its time.
  await until(() => late.storedUtterances === 0 && transcriber.statistics.inFlight === 0, 'the end of the work');
  const { retries } = transcriber.statistics;
  console.log(`# ${KILLS} kills, ${retries} sent again, ${lateOnes} late`);
  for (let number = 0; number < UTTERANCES; number++) {
    assert.equal(heard.get(String(number)), [`heard ${1_000 + number}`], `utterance ${number}`);
  }
  assert.ok(retries + lateOnes > 0, 'some were lost with the platform');
  transcriber.close();
  await late.close();
  await platform.close();
  await rm(folder, { recursive: true });
});

test.run();
