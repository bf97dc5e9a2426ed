import { setImmediate } from 'node:timers/promises';
import { G711 } from '../../src/audio/g711.ts';
import { levelDbov } from '../../src/audio/level.ts';
import { VoiceActivity } from '../../src/audio/voice-activity.ts';
import { BargeIn, BargeInCounters } from '../../src/speech/barge-in.ts';
import { EchoDetector, type Hearing } from '../../src/speech/echo-detector.ts';
import { type Background, background } from '../audio/background.ts';
import { makeRandom } from '../audio/prng.ts';
import type { Recording } from '../audio/speech.ts';
import { activeLevelDbov, frames } from '../audio/telephone.ts';
import { EchoLine, type EchoLineOptions } from './echo-line.ts';
import { makeWorld, SILENCE } from './playout-world.ts';

const FRAME = 160;
const BACKGROUNDS = ['white', 'pink', 'hum', 'fan', 'car'] as const satisfies Background[];

export interface Trial {
  readonly seed: number;
  readonly prompt: Int16Array;
  /** What the caller says, and when after the start of the prompt. Absent: nothing. */
  readonly caller?: { readonly pcm: Int16Array; readonly atMs: number };
  /** Absent: the line has no echo. */
  readonly echo?: EchoLineOptions;
  readonly noiseDbov: number;
  readonly noiseKind: Background;
}

export interface TrialResult {
  readonly falseAlarms: number;
  /** How often the reply was made quieter although nobody had spoken yet. */
  readonly duckedByMistake: number;
  readonly interrupted: boolean;
  /** First voiced sample of the caller to the first sample that is quieter, and to the last that is heard. */
  readonly duckedMs: number | undefined;
  readonly flushedMs: number | undefined;
  /** Where the time to the first goes. */
  readonly stages: DuckStages | undefined;
  /** CPU of the echo detector, a frame, in µs. */
  readonly echoUs: number;
}

/** Durations in ms that add up to that from the first voiced sample to the first that is quieter. */
export interface DuckStages {
  /** The frame with the first voiced sample is complete. */
  readonly frame: number;
  /** A frame sounds like a voice, or the reply is ducked before. */
  readonly onset: number;
  /** It is found to be no echo: the reply is ducked. */
  readonly echo: number;
  /** What is quieter leaves. */
  readonly wire: number;
}

/** A caller, his line and the gateway's ear and mouth for him, closed to a loop: what is ducked echoes quieter. */
export async function runTrial({ seed, prompt, caller, echo, noiseDbov, noiseKind }: Trial): Promise<TrialResult> {
  const random = makeRandom(seed);
  const line = new EchoLine(echo ?? { delayMs: 0, returnLossDb: 200, decayMs: 0.1, law: 'ulaw', random });
  const noise = background(noiseKind, noiseDbov, 40_000, seed);
  const counters = new BargeInCounters();
  const echoDetector = new EchoDetector();
  const voiceActivity = new VoiceActivity({ sampleRate: 8000 });
  const world = makeWorld({
    onPlayed: (pcm, _timestamp, sentAtMs) => echoDetector.play(pcm, Math.round(sentAtMs * 8)),
  });
  const { sender, playout, clock } = world;
  let flushedAtMs: number | undefined;
  let isQuiet = false;
  const bargeIn = new BargeIn({
    target: {
      get isInterruptible() {
        return playout.isInterruptible;
      },
      duck(gain) {
        isQuiet = gain < 1;
        playout.duck(gain);
      },
      pause: () => playout.pause(),
      resume: () => playout.resume(),
      interrupt: (which) => playout.interrupt(which),
      silentAtMs: (nowMs) => playout.silentAtMs(nowMs),
    },
    sampleRate: 8000,
    resumeAfterFalseAlarm: true,
    counters,
    onBargeIn: (_sample, silentAtMs) => {
      flushedAtMs = silentAtMs;
    },
  });
  // Packets of the caller and of the gateway have nothing to do with each other.
  const phaseMs = 1 + 18 * random();
  const leadFrames = 25 + Math.floor(25 * random());
  const promptAtMs = leadFrames * 20;
  const callerAt = caller ? Math.round((promptAtMs + caller.atMs) * 8) : 0;
  const voicedAtMs = caller ? callerAt / 8 + firstVoicedMs(caller.pcm) : Number.POSITIVE_INFINITY;
  let soundsVoicedAtMs: number | undefined;
  let decidedAtMs: number | undefined;
  let duckedAtMs: number | undefined;
  let duckedByMistake = 0;

  let spentMs = 0;
  let echoFrames = 0;
  const offset = Math.round(phaseMs * 8);
  // What is on its way to the far end, from the sample that is played there next.
  let wire = new Int16Array(FRAME + offset);
  for (let k = 0; ; k++) {
    const nowMs = (k + 1) * 20;
    clock.advance(nowMs - clock.nowMs());
    if (k === leadFrames) {
      playout.play('prompt', async function* () {
        yield prompt;
      });
      await setImmediate();
      await setImmediate();
    }
    const returned = line.process(wire.subarray(0, FRAME));
    wire = wire.slice(FRAME);
    for (let i = 0; i < FRAME; i++) {
      const at = k * FRAME + i;
      returned[i]! += noise[at % noise.length]! + (caller?.pcm[at - callerAt] ?? 0);
    }
    const frame = line.encode(returned);
    const soundsVoiced = voiceActivity.process(frame);
    let hearing: Hearing = soundsVoiced ? 'caller' : 'nobody';
    if (echoDetector.isActive(k * FRAME)) {
      const startedMs = performance.now();
      hearing = echoDetector.judge(frame, k * FRAME, soundsVoiced);
      spentMs += performance.now() - startedMs;
      echoFrames++;
    }
    const wasQuiet = isQuiet;
    if (bargeIn.isActive) bargeIn.onFrame(frame, k * FRAME, hearing, nowMs);
    const isDucked = !wasQuiet && (isQuiet || flushedAtMs !== undefined);
    // A voice may be heard before it is loud.
    if (!caller || nowMs <= callerAt / 8) duckedByMistake += Number(isDucked);
    else if (isDucked) decidedAtMs ??= nowMs;
    else if (wasQuiet && !isQuiet && nowMs <= voicedAtMs) decidedAtMs = undefined;
    if (nowMs > voicedAtMs && soundsVoiced) soundsVoicedAtMs ??= nowMs;
    clock.advance(phaseMs);
    sender.send(clock.nowMs());
    bargeIn.onTick(clock.nowMs());
    const out = sender.wire.at(-1)!;
    const sent = new Int16Array(FRAME);
    if (out !== SILENCE) G711.decodeUlaw(out.payload, sent);
    const joined = new Int16Array(wire.length + FRAME);
    joined.set(wire);
    joined.set(sent, wire.length);
    wire = joined;
    if (decidedAtMs === undefined) duckedAtMs = undefined;
    else duckedAtMs ??= clock.nowMs();
    if (flushedAtMs !== undefined) break;
    if (k > leadFrames + 5 && !playout.isPlaying) break;
  }
  voiceActivity.close();
  const isInterrupted = flushedAtMs !== undefined;
  playout.close();
  return {
    falseAlarms: counters.falseAlarms,
    duckedByMistake,
    interrupted: isInterrupted,
    duckedMs: duckedAtMs === undefined ? undefined : duckedAtMs - voicedAtMs,
    flushedMs: flushedAtMs === undefined ? undefined : flushedAtMs - voicedAtMs,
    stages: stagesOf(voicedAtMs, soundsVoicedAtMs, decidedAtMs, duckedAtMs),
    echoUs: echoFrames === 0 ? 0 : (1000 * spentMs) / echoFrames,
  };
}

function stagesOf(
  voicedAtMs: number,
  soundsVoicedAtMs: number | undefined,
  decidedAtMs: number | undefined,
  duckedAtMs: number | undefined,
): DuckStages | undefined {
  if (decidedAtMs === undefined || duckedAtMs === undefined || decidedAtMs <= voicedAtMs) return undefined;
  const frameEndMs = 20 * (Math.floor(voicedAtMs / 20) + 1);
  const onsetAtMs = Math.min(soundsVoicedAtMs ?? decidedAtMs, decidedAtMs);
  return {
    frame: frameEndMs - voicedAtMs,
    onset: onsetAtMs - frameEndMs,
    echo: decidedAtMs - onsetAtMs,
    wire: duckedAtMs - decidedAtMs,
  };
}

/** Where a voice begins: the first of three blocks of 10 ms in a row that are not 20 dB below its level. */
export function firstVoicedMs(pcm: Int16Array): number {
  const threshold = activeLevelDbov(pcm, FRAME) - 20;
  const isLoud = frames(pcm, 80).map((block) => levelDbov(block) > threshold);
  return (
    10 *
    Math.max(
      0,
      isLoud.findIndex((loud, i) => loud && isLoud[i + 1] === true && isLoud[i + 2] === true),
    )
  );
}

/** `pcm` at another level. */
export function atLevel({ pcm }: Recording, dbov: number): Int16Array {
  const gain = 10 ** ((dbov - activeLevelDbov(pcm, FRAME)) / 20);
  return Int16Array.from(pcm, (sample) => Math.max(-32768, Math.min(32767, sample * gain)));
}

/** What the line of a caller does to what is played: nothing, or an echo, which is bent, noisy or changes its delay. */
export type LineKind = 'quiet' | 'echo' | 'bent echo' | 'noisy echo' | 'shifting echo';

/** A line nobody has seen: any delay, loss, filter, coding, and with some a second reflection or a bent one. */
export function randomEcho(random: () => number): EchoLineOptions {
  return {
    delayMs: 20 + 280 * random(),
    returnLossDb: 10 + 20 * random(),
    decayMs: 0.1 + 2.4 * random(),
    law: random() < 0.5 ? 'ulaw' : 'alaw',
    ...(random() < 0.4 ? { second: { laterMs: 5 + 120 * random(), weakerDb: 1 + 11 * random() } } : {}),
    ...(random() < 0.3 ? { clipAt: 0.1 + 0.3 * random() } : {}),
    random,
  };
}

function randomLine(kind: LineKind, random: () => number): EchoLineOptions {
  const echo = randomEcho(random);
  if (kind === 'bent echo') return { ...echo, clipAt: 0.04 + 0.1 * random() };
  if (kind !== 'shifting echo') return echo;
  const byMs = (random() < 0.5 ? -1 : 1) * (5 + 75 * random());
  return { ...echo, shift: { atMs: 2000 + 2500 * random(), byMs: Math.max(byMs, 5 - echo.delayMs) } };
}

/** One prompt of about `seconds`, over which `voice` speaks unless it is undefined, on a random line. */
export function randomTrial(
  seed: number,
  recordings: readonly Recording[],
  voice: Recording | undefined,
  kind: LineKind,
  seconds = 6,
): Trial {
  const random = makeRandom(seed);
  const promptDbov = -30 + 14 * random();
  const callerDbov = -32 + 15 * random();
  const quietDbov = -75 + 25 * random();
  const noiseDbov = kind === 'noisy echo' ? quietDbov / 2 - 12 : Math.min(quietDbov, callerDbov - 20);
  const prompt = new Int16Array(seconds * 8000);
  for (let at = 0; at < prompt.length; ) {
    const recording = recordings[Math.floor(random() * recordings.length)]!;
    if (recording === voice) continue;
    const part = atLevel(recording, promptDbov).subarray(0, prompt.length - at);
    prompt.set(part, at);
    at += part.length;
  }
  const atMs = 100 + (seconds * 1000 - 3500) * random();
  return {
    seed,
    prompt,
    noiseDbov,
    noiseKind: BACKGROUNDS[seed % BACKGROUNDS.length]!,
    ...(voice ? { caller: { pcm: atLevel(voice, callerDbov), atMs } } : {}),
    ...(kind === 'quiet' ? {} : { echo: randomLine(kind, random) }),
  };
}
