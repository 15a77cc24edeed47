/**
 * Inverse DCT to twice the size. Subsampled colour is brought to full size in the frequency domain, as libjpeg does since
 * version 7: an 8-point block is taken for the lower half of a 16-point one, which interpolates without ringing at factors
 * of two and without reaching into neighbouring blocks.
 */

import type { JpegComponent } from "./jpeg-markers.ts";

/**
 * Samples of a component with its blocks at 8 or 16 rows and columns: `blocksDown * tall` rows of `blocksAcross * wide`,
 * written to the start of `out`.
 */
export function scaledInverseDct(component: JpegComponent, wide: 8 | 16, tall: 8 | 16, out: Uint8ClampedArray): void {
  const { blocksAcross, blocksDown, coefficients, last } = component;
  const table = component.table!;
  const stride = blocksAcross * wide;
  const across = halfMatrix(wide);
  const down = halfMatrix(tall);
  // transposed, so that both passes read along rows
  const input = new Float64Array(64);
  const middle = new Float64Array(8 * tall);
  for (let by = 0, block = 0; by < blocksDown; by++) {
    for (let bx = 0; bx < blocksAcross; bx++, block++) {
      const at = by * tall * stride + bx * wide;
      const base = block * 64;
      if (last[block] === 0) {
        const flat = (coefficients[base]! * table[0]!) / 8 + 128.5;
        for (let y = 0; y < tall; y++) out.fill(Math.floor(flat), at + y * stride, at + y * stride + wide);
        continue;
      }
      let columns = 0;
      let rows = 0;
      for (let v = 0, i = 0; v < 8; v++) {
        for (let u = 0; u < 8; u++, i++) {
          const value = coefficients[base + i]! * table[i]!;
          input[u * 8 + v] = value;
          if (value === 0) continue;
          rows = v + 1;
          if (u >= columns) columns = u + 1;
        }
      }
      for (let u = 0; u < columns; u++) downColumn(input, u * 8, rows, down, middle, u, tall);
      for (let u = columns; u < 8; u++) for (let y = 0; y < tall; y++) middle[y * 8 + u] = 0;
      for (let y = 0; y < tall; y++) acrossRow(middle, y * 8, columns, across, out, at + y * stride, wide);
    }
  }
}

/** One column: even coefficients give a symmetric half, odd ones an antisymmetric half. */
function downColumn(
  from: Float64Array,
  start: number,
  used: number,
  matrix: Float64Array,
  to: Float64Array,
  column: number,
  size: number,
): void {
  const c0 = from[start]!;
  const c1 = from[start + 1]!;
  const c2 = from[start + 2]!;
  const c3 = from[start + 3]!;
  const high = used > 4;
  const end = (size - 1) * 8 + column;
  for (let x = 0, m = 0, i = column; x < size / 2; x++, m += 8, i += 8) {
    let even = c0 * matrix[m]! + c2 * matrix[m + 2]!;
    let odd = c1 * matrix[m + 1]! + c3 * matrix[m + 3]!;
    if (high) {
      even += from[start + 4]! * matrix[m + 4]! + from[start + 6]! * matrix[m + 6]!;
      odd += from[start + 5]! * matrix[m + 5]! + from[start + 7]! * matrix[m + 7]!;
    }
    to[i] = even + odd;
    to[end - x * 8] = even - odd;
  }
}

/** One row, shifted to 0..255, rounded and clamped. */
function acrossRow(
  from: Float64Array,
  start: number,
  used: number,
  matrix: Float64Array,
  to: Uint8ClampedArray,
  at: number,
  size: number,
): void {
  const c0 = from[start]!;
  const c1 = from[start + 1]!;
  const c2 = from[start + 2]!;
  const c3 = from[start + 3]!;
  const high = used > 4;
  const end = at + size - 1;
  for (let x = 0, m = 0; x < size / 2; x++, m += 8) {
    let even = c0 * matrix[m]! + c2 * matrix[m + 2]! + 128.5;
    let odd = c1 * matrix[m + 1]! + c3 * matrix[m + 3]!;
    if (high) {
      even += from[start + 4]! * matrix[m + 4]! + from[start + 6]! * matrix[m + 6]!;
      odd += from[start + 5]! * matrix[m + 5]! + from[start + 7]! * matrix[m + 7]!;
    }
    // negative values are truncated towards zero, which is where they are clamped to
    to[at + x] = (even + odd) | 0;
    to[end - x] = (even - odd) | 0;
  }
}

/** Basis functions of the first half of the positions, `[position, frequency]`, scaled as an 8-point transform. */
function halfMatrix(size: number): Float64Array {
  const matrix = new Float64Array((size / 2) * 8);
  for (let x = 0; x < size / 2; x++) {
    for (let k = 0; k < 8; k++) {
      const norm = k === 0 ? Math.sqrt(1 / 8) : 0.5;
      matrix[x * 8 + k] = norm * Math.cos(((2 * x + 1) * k * Math.PI) / (2 * size));
    }
  }
  return matrix;
}
