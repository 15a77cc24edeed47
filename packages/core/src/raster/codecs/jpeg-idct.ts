/** The accurate integer inverse DCT of Loeffler, Ligtenberg and Moschytz (ICASSP 1989), in libjpeg's fixed-point arithmetic. */

import type { JpegComponent } from "./jpeg-markers.ts";

const CONST_BITS = 13;
const PASS1_BITS = 2;
const F_0_298 = 2446;
const F_0_390 = 3196;
const F_0_541 = 4433;
const F_0_765 = 6270;
const F_0_899 = 7373;
const F_1_175 = 9633;
const F_1_501 = 12299;
const F_1_847 = 15137;
const F_1_961 = 16069;
const F_2_053 = 16819;
const F_2_562 = 20995;
const F_3_072 = 25172;

/** Samples of a component, `blocksDown * 8` rows of `blocksAcross * 8`, written to the start of `out`. */
export function inverseDct(component: JpegComponent, out: Uint8ClampedArray): void {
  const { blocksAcross, blocksDown, coefficients, last } = component;
  const table = component.table!;
  const stride = blocksAcross * 8;
  const work = new Int32Array(64);
  for (let by = 0, block = 0; by < blocksDown; by++) {
    for (let bx = 0; bx < blocksAcross; bx++, block++) {
      const at = by * 8 * stride + bx * 8;
      if (last[block] === 0) fillBlock(out, at, stride, coefficients[block * 64]! * table[0]!);
      else transformBlock(coefficients, block * 64, table, work, out, at, stride);
    }
  }
}

/** A block with a DC coefficient only is flat. */
function fillBlock(out: Uint8ClampedArray, at: number, stride: number, dc: number): void {
  const value = (((dc << PASS1_BITS) + (1 << (PASS1_BITS + 2))) >> (PASS1_BITS + 3)) + 128;
  for (let row = 0; row < 8; row++, at += stride) out.fill(value, at, at + 8);
}

function transformBlock(
  input: Int16Array,
  base: number,
  table: Uint16Array,
  work: Int32Array,
  out: Uint8ClampedArray,
  at: number,
  stride: number,
): void {
  for (let col = 0; col < 8; col++) {
    const i = base + col;
    const c1 = input[i + 8]!;
    const c2 = input[i + 16]!;
    const c3 = input[i + 24]!;
    const c4 = input[i + 32]!;
    const c5 = input[i + 40]!;
    const c6 = input[i + 48]!;
    const c7 = input[i + 56]!;
    if ((c1 | c2 | c3 | c4 | c5 | c6 | c7) === 0) {
      const dc = Math.imul(input[i]!, table[col]!) << PASS1_BITS;
      work[col] = work[col + 8] = work[col + 16] = work[col + 24] = dc;
      work[col + 32] = work[col + 40] = work[col + 48] = work[col + 56] = dc;
      continue;
    }
    let z2 = Math.imul(c2, table[col + 16]!);
    let z3 = Math.imul(c6, table[col + 48]!);
    let z1 = Math.imul(z2 + z3, F_0_541);
    const t2 = (z1 - Math.imul(z3, F_1_847)) | 0;
    const t3 = (z1 + Math.imul(z2, F_0_765)) | 0;
    z2 = Math.imul(input[i]!, table[col]!);
    z3 = Math.imul(c4, table[col + 32]!);
    const t0 = (z2 + z3) << CONST_BITS;
    const t1 = (z2 - z3) << CONST_BITS;
    const e0 = (t0 + t3) | 0;
    const e3 = (t0 - t3) | 0;
    const e1 = (t1 + t2) | 0;
    const e2 = (t1 - t2) | 0;
    let o0 = Math.imul(c7, table[col + 56]!);
    let o1 = Math.imul(c5, table[col + 40]!);
    let o2 = Math.imul(c3, table[col + 24]!);
    let o3 = Math.imul(c1, table[col + 8]!);
    z1 = o0 + o3;
    z2 = o1 + o2;
    z3 = o0 + o2;
    let z4 = o1 + o3;
    const z5 = Math.imul(z3 + z4, F_1_175);
    o0 = Math.imul(o0, F_0_298);
    o1 = Math.imul(o1, F_2_053);
    o2 = Math.imul(o2, F_3_072);
    o3 = Math.imul(o3, F_1_501);
    z1 = -Math.imul(z1, F_0_899);
    z2 = -Math.imul(z2, F_2_562);
    z3 = (z5 - Math.imul(z3, F_1_961)) | 0;
    z4 = (z5 - Math.imul(z4, F_0_390)) | 0;
    o0 = (o0 + z1 + z3) | 0;
    o1 = (o1 + z2 + z4) | 0;
    o2 = (o2 + z2 + z3) | 0;
    o3 = (o3 + z1 + z4) | 0;
    const round = 1 << (CONST_BITS - PASS1_BITS - 1);
    const shift = CONST_BITS - PASS1_BITS;
    work[col] = (e0 + o3 + round) >> shift;
    work[col + 56] = (e0 - o3 + round) >> shift;
    work[col + 8] = (e1 + o2 + round) >> shift;
    work[col + 48] = (e1 - o2 + round) >> shift;
    work[col + 16] = (e2 + o1 + round) >> shift;
    work[col + 40] = (e2 - o1 + round) >> shift;
    work[col + 24] = (e3 + o0 + round) >> shift;
    work[col + 32] = (e3 - o0 + round) >> shift;
  }
  const shift = CONST_BITS + PASS1_BITS + 3;
  // the level shift of 128 rides on the rounding term
  const round = (1 << (shift - 1)) + (128 << shift);
  for (let row = 0; row < 64; row += 8, at += stride) {
    const w2 = work[row + 2]!;
    const w6 = work[row + 6]!;
    let z1 = Math.imul(w2 + w6, F_0_541);
    const t2 = (z1 - Math.imul(w6, F_1_847)) | 0;
    const t3 = (z1 + Math.imul(w2, F_0_765)) | 0;
    const t0 = ((work[row]! + work[row + 4]!) << CONST_BITS) + round;
    const t1 = ((work[row]! - work[row + 4]!) << CONST_BITS) + round;
    const e0 = (t0 + t3) | 0;
    const e3 = (t0 - t3) | 0;
    const e1 = (t1 + t2) | 0;
    const e2 = (t1 - t2) | 0;
    let o0 = work[row + 7]!;
    let o1 = work[row + 5]!;
    let o2 = work[row + 3]!;
    let o3 = work[row + 1]!;
    z1 = o0 + o3;
    let z2 = o1 + o2;
    let z3 = o0 + o2;
    let z4 = o1 + o3;
    const z5 = Math.imul(z3 + z4, F_1_175);
    o0 = Math.imul(o0, F_0_298);
    o1 = Math.imul(o1, F_2_053);
    o2 = Math.imul(o2, F_3_072);
    o3 = Math.imul(o3, F_1_501);
    z1 = -Math.imul(z1, F_0_899);
    z2 = -Math.imul(z2, F_2_562);
    z3 = (z5 - Math.imul(z3, F_1_961)) | 0;
    z4 = (z5 - Math.imul(z4, F_0_390)) | 0;
    o0 = (o0 + z1 + z3) | 0;
    o1 = (o1 + z2 + z4) | 0;
    o2 = (o2 + z2 + z3) | 0;
    o3 = (o3 + z1 + z4) | 0;
    out[at] = (e0 + o3) >> shift;
    out[at + 7] = (e0 - o3) >> shift;
    out[at + 1] = (e1 + o2) >> shift;
    out[at + 6] = (e1 - o2) >> shift;
    out[at + 2] = (e2 + o1) >> shift;
    out[at + 5] = (e2 - o1) >> shift;
    out[at + 3] = (e3 + o0) >> shift;
    out[at + 4] = (e3 - o0) >> shift;
  }
}
