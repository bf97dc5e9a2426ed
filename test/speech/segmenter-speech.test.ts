import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { G711 } from '../../src/audio/g711.ts';
import { VoiceActivity } from '../../src/audio/voice-activity.ts';
import { parseWav, wavToPcm } from '../../src/audio/wav.ts';
import { Segmenter, type SpeechEnded } from '../../src/speech/segmenter.ts';
import { makeRandom } from '../audio/prng.ts';

/** Prompts spoken by a person, 8 kHz, of Debian's asterisk-core-sounds-en-wav. */
const PROMPTS = '/usr/share/asterisk/sounds/en_US_f_Allison';
const RATE = 8000;
const FRAME = 160;
const GAP_SAMPLES = 1.5 * RATE;
/** Blocks within this of the loudest block of a prompt are its words. */
const WORD_RANGE_DB = 30;

interface Line {
  readonly pcm: Int16Array;
  /** Start and end of what is said, in samples, of each prompt. */
  readonly words: readonly (readonly [number, number])[];
}

function blockPower(pcm: Int16Array, block: number): number {
  let sum = 0;
  for (let i = block * 80; i < (block + 1) * 80; i++) sum += pcm[i]! ** 2;
  return sum / 80;
}

/** Where the words of a prompt start and end, by 10 ms blocks. */
function extent(pcm: Int16Array): [number, number] {
  const powers = Array.from({ length: Math.floor(pcm.length / 80) }, (_, block) => blockPower(pcm, block));
  const threshold = Math.max(...powers) / 10 ** (WORD_RANGE_DB / 10);
  const isLoud = (power: number): boolean => power >= threshold;
  return [powers.findIndex(isLoud) * 80, (powers.findLastIndex(isLoud) + 1) * 80];
}

/** Prompts one after the other with gaps between, over noise of `noiseAmplitude`, as they come out of a µ-law line. */
function makeLine(noiseAmplitude: number): Line {
  const files = readdirSync(PROMPTS).filter((name) => name.endsWith('.wav'));
  const prompts = files
    .filter((_, index) => index % 9 === 0)
    .map((name) => wavToPcm(parseWav(readFileSync(join(PROMPTS, name)))))
    .filter((pcm) => pcm.length < 12 * RATE);
  const length = prompts.reduce((sum, pcm) => sum + pcm.length + GAP_SAMPLES, GAP_SAMPLES);
  const random = makeRandom(7);
  const pcm = Int16Array.from(
    { length: Math.ceil(length / FRAME) * FRAME },
    () => (random() - 0.5) * 2 * noiseAmplitude,
  );
  const words: [number, number][] = [];
  let position = GAP_SAMPLES;
  for (const prompt of prompts) {
    const [start, end] = extent(prompt);
    words.push([position + start, position + end]);
    for (let i = 0; i < prompt.length; i++) pcm[position + i]! += prompt[i]!;
    position += prompt.length + GAP_SAMPLES;
  }
  const codes = new Uint8Array(pcm.length);
  G711.encodeUlaw(pcm, codes);
  G711.decodeUlaw(codes, pcm);
  return { pcm, words };
}

function segment(pcm: Int16Array): SpeechEnded[] {
  const activity = new VoiceActivity({ sampleRate: RATE });
  const segmenter = new Segmenter({ sampleRate: RATE, voice: (frame) => activity.process(frame) });
  const ended: SpeechEnded[] = [];
  for (let start = 0; start < pcm.length; start += FRAME) {
    const event = segmenter.push(pcm.subarray(start, start + FRAME), start);
    if (event?.type === 'ended') ended.push(event);
  }
  activity.close();
  return ended;
}

const test = suite('segmenter on speech');

if (existsSync(PROMPTS)) {
  test.before(() => VoiceActivity.load());

  for (const [name, noiseAmplitude] of [
    ['a clean line', 0],
    ['a line with noise of -44 dBov', 350],
  ] as const) {
    test(`holds the first and last words of every prompt whole on ${name}`, () => {
      const { pcm, words } = makeLine(noiseAmplitude);
      assert.ok(words.length > 30);
      const utterances = segment(pcm).filter(({ isSpeech }) => isSpeech);
      for (const [start, end] of words) {
        const holdsStart = utterances.some((part) => part.startSample <= start && part.endSample >= start + 800);
        const holdsEnd = utterances.some((part) => part.startSample <= end - 800 && part.endSample >= end);
        assert.ok(holdsStart, `the start at ${start / RATE} s`);
        assert.ok(holdsEnd, `the end at ${end / RATE} s`);
      }
      // Nothing but the prompts: their silences and the padding are all that is more.
      for (const { startSample, endSample } of utterances) {
        assert.ok(
          words.some(([start, end]) => startSample < end && endSample > start),
          `an utterance at ${startSample / RATE} s`,
        );
      }
    });
  }
} else if (process.env['CI'] === 'true') {
  throw new Error('the segmenter on speech needs asterisk-core-sounds-en-wav, which CI must install');
} else {
  console.log('# SKIP segmenter on speech: needs asterisk-core-sounds-en-wav');
}

test.run();
