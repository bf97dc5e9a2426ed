/** Fails with the first difference; comparing arrays of audio with `assert.equal` prints all of both. */
export function assertSamples(actual: ArrayLike<number>, expected: ArrayLike<number>, what = 'the audio'): void {
  if (actual.length !== expected.length) {
    throw new Error(`expected ${expected.length} samples of ${what} but there are ${actual.length}`);
  }
  for (let i = 0; i < expected.length; i++) {
    if (actual[i] !== expected[i]) {
      throw new Error(`expected ${String(expected[i])} at sample ${i} of ${what} but it is ${String(actual[i])}`);
    }
  }
}
