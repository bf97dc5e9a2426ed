/** Seeded pseudo-random numbers of [0, 1) (mulberry32), so that a failing property test can be run again. */
export function makeRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A seed to print when a property fails: `SEED=n` in the environment repeats it. */
export function pickSeed(): number {
  const given = process.env['SEED'];
  return given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given);
}

/** Runs `property` with a fresh generator; a failure names its seed. */
export function withSeed(property: (random: () => number) => void): void {
  const seed = pickSeed();
  try {
    property(makeRandom(seed));
  } catch (error) {
    console.error(`# SEED=${seed}`);
    throw error;
  }
}
