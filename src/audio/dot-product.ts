/** Sum of `x[xStart + i] * y[yStart + i]`. Four sums at a time: one would wait for each addition to end. */
export function dotProduct(x: Float64Array, xStart: number, y: Float64Array, yStart: number, length: number): number {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  let i = 0;
  for (const end = length - 3; i < end; i += 4) {
    a += x[xStart + i]! * y[yStart + i]!;
    b += x[xStart + i + 1]! * y[yStart + i + 1]!;
    c += x[xStart + i + 2]! * y[yStart + i + 2]!;
    d += x[xStart + i + 3]! * y[yStart + i + 3]!;
  }
  for (; i < length; i++) a += x[xStart + i]! * y[yStart + i]!;
  return a + b + c + d;
}
