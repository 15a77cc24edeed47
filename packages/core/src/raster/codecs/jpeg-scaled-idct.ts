/**
 * Inverse DCT to twice the size. Subsampled colour is brought to full size in the frequency domain, as libjpeg does since
 * version 7: an 8-point block is taken for the lower half of a 16-point one, which interpolates without ringing at factors
 * of two and without reaching into neighbouring blocks.
 */

import type { JpegComponent } from "./jpeg-markers.ts";

/** Samples of a component with its blocks at 8 or 16 rows and columns, `blocksDown * tall` rows of `blocksAcross * wide`. */
export function scaledInverseDct(component: JpegComponent, wide: 8 | 16, tall: 8 | 16): Uint8Array {
  const { blocksAcross, blocksDown, coefficients, last } = component;
  const table = component.table!;
  const stride = blocksAcross * wide;
  const out = new Uint8Array(stride * blocksDown * tall);
  const across = halfMatrix(wide);
  const down = halfMatrix(tall);
  const input = new Float64Array(64);
  const columns = new Float64Array(8 * tall);
  const row = new Float64Array(wide);
  const column = new Float64Array(tall);
  for (let by = 0, block = 0; by < blocksDown; by++) {
    for (let bx = 0; bx < blocksAcross; bx++, block++) {
      const at = by * tall * stride + bx * wide;
      const base = block * 64;
      if (last[block] === 0) {
        const flat = clamp(Math.floor((coefficients[base]! * table[0]!) / 8 + 128.5));
        for (let y = 0; y < tall; y++) out.fill(flat, at + y * stride, at + y * stride + wide);
        continue;
      }
      let used = 0;
      for (let i = 0; i < 64; i++) {
        const value = coefficients[base + i]! * table[i]!;
        input[i] = value;
        if (value !== 0 && (i & 7) >= used) used = (i & 7) + 1;
      }
      for (let u = 0; u < used; u++) {
        transform(input, u, 8, 8, down, column, tall);
        for (let y = 0; y < tall; y++) columns[y * 8 + u] = column[y]!;
      }
      for (let y = 0; y < tall; y++) {
        transform(columns, y * 8, 1, used, across, row, wide);
        const to = at + y * stride;
        for (let x = 0; x < wide; x++) out[to + x] = clamp(Math.floor(row[x]! + 128.5));
      }
    }
  }
  return out;
}

/** One dimension: even coefficients give a symmetric half, odd ones an antisymmetric half. */
function transform(
  from: Float64Array,
  start: number,
  step: number,
  used: number,
  matrix: Float64Array,
  to: Float64Array,
  size: number,
): void {
  const half = size / 2;
  for (let x = 0; x < half; x++) {
    let even = 0;
    let odd = 0;
    for (let k = 0, at = start, m = x * 8; k < used; k += 2, m += 2, at += 2 * step) even += from[at]! * matrix[m]!;
    for (let k = 1, at = start + step, m = x * 8 + 1; k < used; k += 2, m += 2, at += 2 * step) odd += from[at]! * matrix[m]!;
    to[x] = even + odd;
    to[size - 1 - x] = even - odd;
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

function clamp(value: number): number {
  return value < 0 ? 0 : value > 255 ? 255 : value;
}
