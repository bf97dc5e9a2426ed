import { G711, type Law } from '../../src/audio/g711.ts';

export interface EchoLineOptions {
  /** From the last sample of a packet to its echo. */
  readonly delayMs: number;
  /** Power of the echo below what was played. */
  readonly returnLossDb: number;
  /** How fast the response of the line dies away. */
  readonly decayMs: number;
  /** A second reflection, later and weaker than the first. */
  readonly second?: { readonly laterMs: number; readonly weakerDb: number };
  /** The line bends what is louder than this part of the overload point. Absent: it is linear. */
  readonly clipAt?: number;
  /** The delay changes once by so much, as where a jitter buffer behind the line adapts. */
  readonly shift?: { readonly atMs: number; readonly byMs: number };
  readonly law: Law;
  readonly random: () => number;
}

/** What the far end of a telephone line makes of what is played to it. */
export class EchoLine {
  readonly #law: Law;
  readonly #clip: number;
  readonly #taps: { readonly delay: number; readonly gain: number }[] = [];
  readonly #longest: number;
  readonly #shiftAt: number;
  readonly #shiftBy: number;
  #position = 0;
  /** The newest samples that were played, oldest first. */
  readonly #played: Float64Array;

  constructor({ delayMs, returnLossDb, decayMs, second, clipAt, shift, law, random }: EchoLineOptions) {
    this.#law = law;
    this.#clip = (clipAt ?? 1) * 32768;
    const reflect = (atMs: number, gain: number): void => {
      const length = Math.ceil(decayMs * 8 * 4);
      const shape = Array.from({ length }, (_, i) => (i === 0 ? 1 : gaussian(random) * Math.exp(-i / (decayMs * 8))));
      const norm = Math.hypot(...shape);
      const sign = random() < 0.5 ? -1 : 1;
      for (const [i, part] of shape.entries()) {
        this.#taps.push({ delay: Math.round(atMs * 8) + i, gain: (sign * gain * part) / norm });
      }
    };
    reflect(delayMs, 1);
    if (second) reflect(delayMs + second.laterMs, 10 ** (-second.weakerDb / 20));
    const scale = 10 ** (-returnLossDb / 20) / Math.hypot(...this.#taps.map(({ gain }) => gain));
    this.#taps = this.#taps.map(({ delay, gain }) => ({ delay, gain: gain * scale }));
    this.#shiftAt = shift ? shift.atMs * 8 : Number.POSITIVE_INFINITY;
    this.#shiftBy = Math.round((shift?.byMs ?? 0) * 8);
    this.#longest = Math.max(...this.#taps.map(({ delay }) => delay)) + Math.max(0, this.#shiftBy);
    this.#played = new Float64Array(this.#longest + 1);
  }

  /** Takes what is played during the next `pcm.length` samples; @returns what comes back meanwhile. */
  process(pcm: Int16Array): Float64Array {
    const all = new Float64Array(this.#played.length + pcm.length);
    all.set(this.#played);
    for (const [i, sample] of pcm.entries()) all[this.#played.length + i] = this.#bend(sample);
    const echo = new Float64Array(pcm.length);
    const shift = this.#position >= this.#shiftAt ? this.#shiftBy : 0;
    this.#position += pcm.length;
    for (const { delay, gain } of this.#taps) {
      const from = this.#played.length - delay - shift;
      for (let i = 0; i < echo.length; i++) echo[i]! += gain * all[from + i]!;
    }
    this.#played.set(all.subarray(pcm.length));
    return echo;
  }

  /** What the gateway gets of `sum`: rounded, clipped and encoded. */
  encode(sum: ArrayLike<number>): Int16Array {
    const pcm = Int16Array.from(sum, (sample) => Math.max(-32768, Math.min(32767, Math.round(sample))));
    const codes = new Uint8Array(pcm.length);
    G711.encode(this.#law, pcm, codes);
    G711.decode(this.#law, codes, pcm);
    return pcm;
  }

  #bend(sample: number): number {
    return this.#clip < 32768 ? this.#clip * Math.tanh(sample / this.#clip) : sample;
  }
}

function gaussian(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
