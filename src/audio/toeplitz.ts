/** Solves R·x = b for symmetric Toeplitz matrices R of one size, by Levinson's recursion: n² steps instead of n³. */
export class ToeplitzSolver {
  readonly #size: number;
  readonly #predictor: Float64Array;
  readonly #previous: Float64Array;

  constructor(size: number) {
    this.#size = size;
    this.#predictor = new Float64Array(size);
    this.#previous = new Float64Array(size);
  }

  /**
   * @param column - first column of R; with `ridge` added to its diagonal R must be positive definite.
   * @param x - receives the solution.
   */
  solve(column: Float64Array, ridge: number, b: Float64Array, x: Float64Array): void {
    const predictor = this.#predictor.fill(0);
    const previous = this.#previous;
    let error = column[0]! + ridge;
    predictor[0] = 1;
    x[0] = b[0]! / error;
    for (let order = 1; order < this.#size; order++) {
      let reflection = 0;
      let missing = b[order]!;
      for (let i = 0; i < order; i++) {
        reflection -= predictor[i]! * column[order - i]!;
        missing -= x[i]! * column[order - i]!;
      }
      reflection /= error;
      previous.set(predictor);
      for (let i = 1; i <= order; i++) predictor[i] = previous[i]! + reflection * previous[order - i]!;
      error *= 1 - reflection * reflection;
      const step = missing / error;
      x[order] = 0;
      for (let i = 0; i <= order; i++) x[i]! += step * predictor[order - i]!;
    }
  }
}
