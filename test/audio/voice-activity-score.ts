import { levelDbov } from '../../src/audio/level.ts';
import { VoiceActivity } from '../../src/audio/voice-activity.ts';
import { type Background, background } from './background.ts';
import type { Recording } from './speech.ts';
import { activeLevelDbov, frames, throughUlaw } from './telephone.ts';

/** How speech is laid into a call. */
export interface Line {
  /** Active level of the speech. */
  readonly speechDbov: number;
  readonly background?: { readonly kind: Background; readonly snrDb: number };
  /** Background before the speech; 1.5 s follow it. Default 2. */
  readonly leadS?: number;
}

export interface Score {
  readonly onsets: number;
  /** Stretches of speech without a single voiced frame. */
  readonly missed: number;
  /** First speech frame to first voiced frame. */
  readonly onsetP50Ms: number;
  readonly onsetP95Ms: number;
  readonly onsetMaxMs: number;
  /** Share of the frames well away from speech that were called voice, in the first half second and later. */
  readonly falseAtStart: number;
  readonly falseLater: number;
  /** Longest time without voice inside a stretch of speech. */
  readonly longestGapMs: number;
}

const SAMPLE_RATE = 8000;
const FRAME_MS = 20;
const FRAME_SAMPLES = (SAMPLE_RATE * FRAME_MS) / 1000;
/** Frames of clean speech above this, relative to its active level, are speech. */
const SPEECH_RANGE_DB = 28;
/** Stretches of speech are apart if at least this many frames between them are not. */
const PAUSE_FRAMES = 15;
/** Frames this close to speech do not count as background. */
const BEFORE_FRAMES = 6;
const AFTER_FRAMES = 16;

interface Stretch {
  readonly first: number;
  last: number;
}

function findStretches(isSpeech: readonly boolean[]): Stretch[] {
  const stretches: Stretch[] = [];
  for (const [index, speech] of isSpeech.entries()) {
    const latest = stretches.at(-1);
    if (!speech) continue;
    if (latest && index - latest.last <= PAUSE_FRAMES) latest.last = index;
    else stretches.push({ first: index, last: index });
  }
  return stretches;
}

/** Which frames of clean speech are speech; a single one is a click, not the start of a word. */
function labelSpeech(clean: Float64Array, speechDbov: number): boolean[] {
  const isLoud = frames(Int16Array.from(clean), FRAME_SAMPLES).map(
    (frame) => levelDbov(frame) > speechDbov - SPEECH_RANGE_DB,
  );
  return isLoud.map((loud, frame) => loud && (isLoud[frame - 1] === true || isLoud[frame + 1] === true));
}

/** Lays every recording into the line, through µ-law, and compares the detector with the clean speech. */
export function scoreVoiceActivity(recordings: readonly Recording[], line: Line): Score {
  const delaysMs: number[] = [];
  let onsets = 0;
  let longestGapMs = 0;
  const atStart = { frames: 0, voiced: 0 };
  const later = { frames: 0, voiced: 0 };

  const { kind, snrDb } = line.background ?? { kind: 'white', snrDb: Number.POSITIVE_INFINITY };
  const noise = background(kind, line.speechDbov - snrDb, 20 * SAMPLE_RATE, 1);
  for (const [index, recording] of recordings.entries()) {
    const gain = 10 ** ((line.speechDbov - activeLevelDbov(recording.pcm, FRAME_SAMPLES)) / 20);
    const lead = (line.leadS ?? 2) * SAMPLE_RATE;
    const clean = new Float64Array(lead + recording.pcm.length + 1.5 * SAMPLE_RATE);
    clean.set(
      Float64Array.from(recording.pcm, (sample) => sample * gain),
      lead,
    );
    const offset = index * 1_000;

    const detector = new VoiceActivity({ sampleRate: SAMPLE_RATE });
    const heard = throughUlaw(clean.map((sample, at) => sample + noise[(offset + at) % noise.length]!));
    const isVoice = frames(heard, FRAME_SAMPLES).map((frame) => detector.process(frame));
    detector.close();
    const isSpeech = labelSpeech(clean, line.speechDbov);

    for (const { first, last } of findStretches(isSpeech)) {
      onsets++;
      const onset = isVoice.indexOf(true, Math.max(0, first - BEFORE_FRAMES));
      if (onset < 0 || onset > last) continue;
      delaysMs.push(Math.max(0, onset - first) * FRAME_MS);
      let voiced = onset;
      for (let frame = onset; frame <= last; frame++) {
        if (!isVoice[frame]) continue;
        longestGapMs = Math.max(longestGapMs, (frame - voiced - 1) * FRAME_MS);
        voiced = frame;
      }
    }
    for (const [frame, voice] of isVoice.entries()) {
      if (isSpeech.slice(Math.max(0, frame - AFTER_FRAMES), frame + BEFORE_FRAMES + 1).includes(true)) continue;
      const part = frame * FRAME_MS < 500 ? atStart : later;
      part.frames++;
      if (voice) part.voiced++;
    }
  }

  delaysMs.sort((a, b) => a - b);
  const percentile = (share: number): number =>
    delaysMs[Math.min(delaysMs.length - 1, Math.floor(delaysMs.length * share))]!;
  return {
    onsets,
    missed: onsets - delaysMs.length,
    onsetP50Ms: percentile(0.5),
    onsetP95Ms: percentile(0.95),
    onsetMaxMs: percentile(1),
    falseAtStart: atStart.voiced / Math.max(1, atStart.frames),
    falseLater: later.voiced / Math.max(1, later.frames),
    longestGapMs,
  };
}
