/** Complex fast Fourier transform in place, of one length that is a power of two. */
export class Fft {
  readonly length: number;
  readonly #cosines: Float64Array;
  readonly #sines: Float64Array;
  /** Pairs of positions to swap, so that the butterflies find their inputs side by side. */
  readonly #swaps: Uint32Array;

  /** @throws RangeError - if the length is not a power of two of 2 or more. */
  constructor(length: number) {
    if (!(length >= 2) || (length & (length - 1)) !== 0) {
      throw new RangeError(`Expected a power of two for length but received ${length}`);
    }
    this.length = length;
    this.#cosines = Float64Array.from({ length: length / 2 }, (_, k) => Math.cos((2 * Math.PI * k) / length));
    this.#sines = Float64Array.from({ length: length / 2 }, (_, k) => -Math.sin((2 * Math.PI * k) / length));
    const bits = Math.log2(length);
    const swaps: number[] = [];
    for (let i = 0; i < length; i++) {
      let reversed = 0;
      for (let bit = 0; bit < bits; bit++) reversed |= ((i >> bit) & 1) << (bits - 1 - bit);
      if (i < reversed) swaps.push(i, reversed);
    }
    this.#swaps = Uint32Array.from(swaps);
  }

  /** Replaces `real` and `imaginary` by their spectrum, not scaled. */
  transform(real: Float64Array, imaginary: Float64Array): void {
    const { length } = this;
    const swaps = this.#swaps;
    for (let i = 0; i < swaps.length; i += 2) {
      const a = swaps[i]!;
      const b = swaps[i + 1]!;
      const re = real[a]!;
      real[a] = real[b]!;
      real[b] = re;
      const im = imaginary[a]!;
      imaginary[a] = imaginary[b]!;
      imaginary[b] = im;
    }
    for (let half = 1; half < length; half *= 2) this.#butterflies(real, imaginary, half);
  }

  #butterflies(real: Float64Array, imaginary: Float64Array, half: number): void {
    const { length } = this;
    const cosines = this.#cosines;
    const sines = this.#sines;
    const stride = length / (2 * half);
    for (let k = 0; k < half; k++) {
      const cosine = cosines[k * stride]!;
      const sine = sines[k * stride]!;
      for (let a = k; a < length; a += 2 * half) {
        const b = a + half;
        const re = real[b]! * cosine - imaginary[b]! * sine;
        const im = real[b]! * sine + imaginary[b]! * cosine;
        real[b] = real[a]! - re;
        imaginary[b] = imaginary[a]! - im;
        real[a] = real[a]! + re;
        imaginary[a] = imaginary[a]! + im;
      }
    }
  }
}
