/** Most reflection coefficients that are used; RFC 3389 sets no limit, senders use up to 10. */
const MAX_ORDER = 16;
/** The byte of the highest coefficient below 1; 255 would make the filter unstable. */
const MAX_COEFFICIENT_BYTE = 254;
const OVERLOAD = 32768;

/**
 * Noise of a given level and spectrum, for when nobody speaks or nothing arrives.
 *
 * The spectrum is an all-pole lattice, so that any reflection coefficients below 1 make a stable filter. The noise is
 * pseudo-random with a fixed seed: the same calls give the same samples.
 *
 * @see RFC 3389 section 3 (payload), section 5 (use in a receiver)
 */
export class ComfortNoise {
  #order = 0;
  readonly #reflection = new Float64Array(MAX_ORDER);
  /** Backward prediction errors, the state of the lattice. */
  readonly #backward = new Float64Array(MAX_ORDER + 1);
  /** Half width of the uniform excitation. */
  #amplitude = 0;
  #random = 1;

  /**
   * Takes the parameters of a received silence descriptor: one byte of level in -dBov, then reflection coefficients.
   * An empty payload is ignored.
   */
  setPayload(payload: Uint8Array): void {
    const level = payload[0];
    if (level === undefined) return;
    const order = Math.min(payload.length - 1, MAX_ORDER);
    for (let i = 0; i < order; i++)
      this.#reflection[i] = (258 * (Math.min(payload[i + 1]!, MAX_COEFFICIENT_BYTE) - 127)) / 32768;
    this.#use(OVERLOAD * 10 ** (-(level & 0x7f) / 20), order);
  }

  /** Makes white noise of `rms` in sample units. */
  setLevel(rms: number): void {
    this.#use(rms, 0);
  }

  /** The next sample, not rounded and not clipped. */
  next(): number {
    this.#random = (Math.imul(this.#random, 1664525) + 1013904223) | 0;
    let forward = (this.#random / 2 ** 31) * this.#amplitude;
    const backward = this.#backward;
    for (let i = this.#order - 1; i >= 0; i--) {
      const k = this.#reflection[i]!;
      forward -= k * backward[i]!;
      backward[i + 1] = backward[i]! + k * forward;
    }
    backward[0] = forward;
    return forward;
  }

  generate(out: Int16Array): void {
    for (let i = 0; i < out.length; i++) out[i] = Math.max(-32768, Math.min(32767, Math.round(this.next())));
  }

  #use(rms: number, order: number): void {
    if (order !== this.#order) this.#backward.fill(0);
    this.#order = order;
    // The filter raises the power by 1 / prod(1 - k²); a uniform variable of half width a has the power a² / 3.
    let gain = 3;
    for (let i = 0; i < order; i++) gain *= 1 - this.#reflection[i]! ** 2;
    this.#amplitude = rms * Math.sqrt(gain);
  }
}
