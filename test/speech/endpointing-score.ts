import { SpeechPower } from '../../src/audio/speech-power.ts';
import { VoiceActivity } from '../../src/audio/voice-activity.ts';
import { Segmenter, type SpeechEnded } from '../../src/speech/segmenter.ts';
import { type Background, background } from '../audio/background.ts';
import type { Recording } from '../audio/speech.ts';
import { activeLevelDbov, frames, throughUlaw } from '../audio/telephone.ts';

const RATE = 8000;
const FRAME = 160;
const BLOCK = 80;
/** What is weaker than this below the level of the clean speech is its breath and its room. */
const VOICED_RANGE_DB = 25;
/** A shorter burst is a click of the lips, not speech. */
const MIN_VOICED_BLOCKS = 3;

export interface EndpointLine {
  readonly speechDbov: number;
  readonly noise?: { readonly kind: Background; readonly snrDb: number };
  readonly endSilenceMs: number;
}

export interface EndpointScore {
  /** Stretches of speech with pauses longer than the end silence around them. */
  readonly stretches: number;
  /** Those that no utterance holds. */
  readonly missed: number;
  /** Last voiced sample as decided less the true one, of each stretch, in ms. */
  readonly endErrorsMs: readonly number[];
  /** Utterances without speech in them. */
  readonly spurious: number;
  /** Pauses within a recording, in ms: what an end silence must bridge. */
  readonly pausesMs: readonly number[];
}

interface Stretch {
  readonly start: number;
  readonly end: number;
}

/**
 * Where clean speech is voiced, in samples: 10 ms that are not weaker than the noise, as a whole or in the treble.
 * Pauses up to `joinMs` belong to a stretch.
 */
function voicedStretches(
  clean: Int16Array,
  speechDbov: number,
  noise: Float64Array | undefined,
  joinMs: number,
): Stretch[] {
  const least = 10 ** ((speechDbov - VOICED_RANGE_DB) / 10);
  const floor = new SpeechPower(RATE);
  floor.measure(Int16Array.from(noise ?? [0]));
  const speech = new SpeechPower(RATE);
  const isLoud = frames(clean, BLOCK).map((block) => {
    speech.measure(block);
    const { power, treblePower } = speech;
    return power > least && (power > floor.power || treblePower > floor.treblePower);
  });
  const bursts: Stretch[] = [];
  for (let first = isLoud.indexOf(true); first >= 0; ) {
    let end = isLoud.indexOf(false, first);
    if (end < 0) end = isLoud.length;
    if (end - first >= MIN_VOICED_BLOCKS) bursts.push({ start: first * BLOCK, end: end * BLOCK });
    first = isLoud.indexOf(true, end);
  }
  const stretches: Stretch[] = [];
  for (const burst of bursts) {
    const latest = stretches.at(-1);
    if (latest && burst.start - latest.end <= joinMs * 8)
      stretches.splice(-1, 1, { start: latest.start, end: burst.end });
    else stretches.push(burst);
  }
  return stretches;
}

/** Lays every recording into a line of its own and compares the utterances with the clean speech. */
export function scoreEndpointing(recordings: readonly Recording[], line: EndpointLine): EndpointScore {
  const { speechDbov, noise, endSilenceMs } = line;
  const hiss = noise && background(noise.kind, speechDbov - noise.snrDb, 20 * RATE, 9);
  const endErrorsMs: number[] = [];
  const pausesMs: number[] = [];
  let stretchCount = 0;
  let missed = 0;
  let spurious = 0;
  for (const [index, recording] of recordings.entries()) {
    const gain = 10 ** ((speechDbov - activeLevelDbov(recording.pcm, FRAME)) / 20);
    // Frames begin anywhere in the speech.
    const lead = 2 * RATE + ((index * 37) % FRAME);
    const clean = new Int16Array(Math.ceil((lead + recording.pcm.length + 2 * RATE) / FRAME) * FRAME);
    clean.set(
      recording.pcm.map((sample) => sample * gain),
      lead,
    );
    const heard = throughUlaw(
      clean.length === 0 ? [] : Array.from(clean, (sample, i) => sample + noiseAt(hiss, index, i)),
    );
    const utterances = segment(heard, endSilenceMs);
    const stretches = voicedStretches(clean, speechDbov, hiss, endSilenceMs);
    const bursts = voicedStretches(clean, speechDbov, hiss, 80);
    for (const [i, { start }] of bursts.entries()) {
      if (i > 0) pausesMs.push((start - bursts[i - 1]!.end) / 8);
    }
    for (const { start, end } of stretches) {
      stretchCount++;
      const holding = utterances.filter((part) => part.startSample < end && part.endSample > start);
      const last = holding.at(-1);
      if (last) endErrorsMs.push((last.lastVoicedSample - end) / 8);
      else missed++;
    }
    spurious += utterances.filter(
      (part) => !stretches.some(({ start, end }) => part.startSample < end && part.endSample > start),
    ).length;
  }
  return { stretches: stretchCount, missed, endErrorsMs, spurious, pausesMs };
}

function noiseAt(noise: Float64Array | undefined, offset: number, i: number): number {
  return noise ? noise[(offset * 1000 + i) % noise.length]! : 0;
}

function segment(pcm: Int16Array, endSilenceMs: number): SpeechEnded[] {
  const activity = new VoiceActivity({ sampleRate: RATE });
  const segmenter = new Segmenter({ sampleRate: RATE, endSilenceMs, voice: (frame) => activity.process(frame) });
  const ended: SpeechEnded[] = [];
  for (let start = 0; start + FRAME <= pcm.length; start += FRAME) {
    const event = segmenter.push(pcm.subarray(start, start + FRAME), start);
    if (event?.type === 'ended') ended.push(event);
  }
  for (const event of segmenter.finish()) if (event.type === 'ended') ended.push(event);
  activity.close();
  return ended.filter(({ isSpeech }) => isSpeech);
}
