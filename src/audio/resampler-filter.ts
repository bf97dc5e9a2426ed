/**
 * Low-pass filters for changing a sample rate by `up/down`, cut into their phases.
 *
 * The edges are those of telephony, scaled with the lower of both rates: at 8 kHz everything to 3.4 kHz passes, and
 * from 4 kHz on, which is where images and aliases begin, everything is stopped.
 *
 * @see Crochiere and Rabiner, Multirate Digital Signal Processing; Kaiser 1974 (window and its length)
 */

const PASS_EDGE = 0.425;
const STOP_EDGE = 0.5;
const STOP_ATTENUATION_DB = 72;

export interface PolyphaseFilter {
  /** Coefficients of phase p at [p * tapsPerPhase, (p + 1) * tapsPerPhase), for the oldest sample first. */
  readonly taps: Float64Array;
  /** A multiple of 4. */
  readonly tapsPerPhase: number;
  /** Group delay in output samples, exact. */
  readonly delaySamples: number;
}

const filters = new Map<string, PolyphaseFilter>();

/** Filters are computed once per ratio and shared; there are as many ratios as pairs of supported rates at most. */
export function filterFor(up: number, down: number): PolyphaseFilter {
  const key = `${up}/${down}`;
  let filter = filters.get(key);
  if (!filter) {
    filter = design(up, down);
    filters.set(key, filter);
  }
  return filter;
}

/** Frequencies are in units of the rate between interpolation and decimation, `up` times the input rate. */
function design(up: number, down: number): PolyphaseFilter {
  const lowerRate = 1 / Math.max(up, down);
  const cutoff = ((PASS_EDGE + STOP_EDGE) / 2) * lowerRate;
  const transition = (STOP_EDGE - PASS_EDGE) * lowerRate;
  const neededHalf = (STOP_ATTENUATION_DB - 7.95) / (2 * 2.285 * 2 * Math.PI * transition);
  // The delay, which is half of the filter, comes to whole output samples.
  const delaySamples = Math.ceil(neededHalf / down);
  const half = delaySamples * down;
  const beta = 0.1102 * (STOP_ATTENUATION_DB - 8.7);

  const length = 2 * half + 1;
  const tapsPerPhase = Math.ceil(length / up / 4) * 4;
  const taps = new Float64Array(up * tapsPerPhase);
  for (let phase = 0; phase < up; phase++) {
    const ofPhase = taps.subarray(phase * tapsPerPhase, (phase + 1) * tapsPerPhase);
    let sum = 0;
    for (let k = 0; phase + k * up < length; k++) {
      const distance = phase + k * up - half;
      const tap = sinc(2 * cutoff * distance) * besselI0(beta * Math.sqrt(1 - (distance / half) ** 2));
      ofPhase[tapsPerPhase - 1 - k] = tap;
      sum += tap;
    }
    // Each phase has a gain of exactly 1 for a constant, so that an offset makes no tone at the input rate.
    for (let k = 0; k < tapsPerPhase; k++) ofPhase[k] = ofPhase[k]! / sum;
  }
  return { taps, tapsPerPhase, delaySamples };
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** Modified Bessel function of the first kind and order 0, by its power series. */
function besselI0(x: number): number {
  let sum = 1;
  let term = 1;
  for (let k = 1; term > sum * 1e-16; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}
