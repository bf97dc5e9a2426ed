import { setImmediate } from 'node:timers/promises';
import { type Fingerprint, fingerprint, similarity } from './fingerprint.ts';
import type { Sentence } from './sentences.ts';

const TEMPLATE_HOP_MS = 20;
/** Finer than the template's, so that the two are never more than 5 ms out of step. */
const SOUND_HOP_MS = 10;
const STRIDE = TEMPLATE_HOP_MS / SOUND_HOP_MS;
/** Half a second. Each block finds its own place, so that a jitter buffer may have stretched the sentence. */
const BLOCK_FRAMES = 25;
/** How far a block may lie from its place, in frames of the sound: 60 ms. */
const BLOCK_PLAY_FRAMES = 6;
/** A sentence may begin this much before the sound or end this much after it. */
const MARGIN_FRAMES = BLOCK_FRAMES * STRIDE;
/** How alike all blocks must be on average; README.md has the measured distances. */
const THRESHOLD = 0.8;

export interface Template {
  readonly text: string;
  readonly print: Fingerprint;
  /** First frame of each block. The last block ends where the sentence does and may overlap the one before. */
  readonly blocks: readonly number[];
}

export function templateOf({ text, pcm }: Sentence): Template {
  const print = fingerprint(pcm, TEMPLATE_HOP_MS, 0);
  const last = print.frames - BLOCK_FRAMES;
  if (last < 0) throw new RangeError(`Expected at least half a second of speech but received ${pcm.length} samples`);
  const blocks = Array.from({ length: Math.ceil(last / BLOCK_FRAMES) }, (_, index) => index * BLOCK_FRAMES);
  return { text, print, blocks: [...blocks, last] };
}

interface Occurrence {
  readonly text: string;
  readonly score: number;
  /** In frames of the sound. */
  readonly start: number;
  readonly end: number;
}

/**
 * The text of each template that occurs in `pcm` (16 kHz), in the order of the sound. Occurrences do not overlap; what
 * lies between them is passed over. Lets the event loop turn after each template.
 */
export async function findSentences(templates: readonly Template[], pcm: Int16Array): Promise<string[]> {
  const sound = fingerprint(pcm, SOUND_HOP_MS, MARGIN_FRAMES);
  const candidates: Occurrence[] = [];
  for (const template of templates) {
    candidates.push(...occurrencesOf(template, sound));
    await setImmediate();
  }
  candidates.sort((a, b) => b.score - a.score);
  const found: Occurrence[] = [];
  for (const candidate of candidates) {
    const isFree = found.every(
      ({ start, end }) => candidate.end <= start + MARGIN_FRAMES || candidate.start >= end - MARGIN_FRAMES,
    );
    if (isFree) found.push(candidate);
  }
  return found.sort((a, b) => a.start - b.start).map(({ text }) => text);
}

function occurrencesOf(template: Template, sound: Fingerprint): Occurrence[] {
  const lengthFrames = template.print.frames * STRIDE;
  const scores = scoresOf(template, sound);
  const occurrences: Occurrence[] = [];
  for (const [start, score] of scores.entries()) {
    if (score >= THRESHOLD) occurrences.push({ text: template.text, score, start, end: start + lengthFrames });
  }
  return occurrences;
}

/** How alike the template is to the sound from each frame on: the mean of its blocks, each at the best place near its own. */
export function scoresOf(template: Template, sound: Fingerprint): Float32Array {
  const starts = Math.max(0, sound.frames - template.print.frames * STRIDE + 1);
  const scores = new Float32Array(starts);
  for (const block of template.blocks) {
    const alike = blockSimilarity(template, block, sound);
    for (let start = 0; start < starts; start++) {
      const place = start + block * STRIDE;
      const nearby = alike.subarray(Math.max(0, place - BLOCK_PLAY_FRAMES), place + BLOCK_PLAY_FRAMES + 1);
      scores[start]! += Math.max(...nearby) / template.blocks.length;
    }
  }
  return scores;
}

/** At each frame of the sound at which the block fits. */
function blockSimilarity(template: Template, block: number, sound: Fingerprint): Float32Array {
  const places = sound.frames - BLOCK_FRAMES * STRIDE + 1;
  return Float32Array.from({ length: Math.max(0, places) }, (_, place) =>
    similarity(template.print, block, sound, place, BLOCK_FRAMES, STRIDE),
  );
}
