/** The index of a FlatGeobuf: an R-tree packed along a Hilbert curve. */

import type { Bounds } from "../../affine.ts";
import { NODE_BYTES, treeLevels } from "./tree-layout.ts";

/** Cells of the Hilbert curve on each side, less one. */
const HILBERT_MAX = 0xffff;

/**
 * The order of features along the Hilbert curve through the centres of their boxes, from its end to its beginning as in
 * GDAL; features in the same cell stay in their order.
 *
 * @param boxes - four numbers each
 */
export function hilbertOrder(boxes: Float64Array, [xmin, ymin, xmax, ymax]: Bounds): Uint32Array {
  const count = boxes.length / 4;
  const cell = (low: number, high: number, from: number, to: number): number =>
    to === from ? 0 : Math.floor((HILBERT_MAX * ((low + high) / 2 - from)) / (to - from));
  const keys = new Uint32Array(count);
  for (let i = 0; i < count; i += 1) {
    const at = 4 * i;
    keys[i] = hilbert(cell(boxes[at]!, boxes[at + 2]!, xmin, xmax), cell(boxes[at + 1]!, boxes[at + 3]!, ymin, ymax));
  }
  return Uint32Array.from({ length: count }, (_, i) => i).sort((a, b) => keys[b]! - keys[a]! || a - b);
}

/** Position of a cell on the curve (public domain, github.com/rawrunprotected/hilbert_curves). */
function hilbert(x: number, y: number): number {
  let a = x ^ y;
  let b = 0xffff ^ a;
  let c = 0xffff ^ (x | y);
  let d = x & (y ^ 0xffff);
  let [A, B] = [a | (b >> 1), (a >> 1) ^ a];
  let [C, D] = [c ^ (c >> 1) ^ (b & (d >> 1)), d ^ (a & (c >> 1)) ^ (d >> 1)];
  for (const shift of [2, 4, 8]) {
    [a, b, c, d] = [A, B, C, D];
    A = (a & (a >> shift)) ^ (b & (b >> shift));
    B = (a & (b >> shift)) ^ (b & ((a ^ b) >> shift));
    C = c ^ (a & (c >> shift)) ^ (b & (d >> shift));
    D = d ^ (b & (c >> shift)) ^ ((a ^ b) & (d >> shift));
  }
  const even = x ^ y;
  const odd = (D ^ (D >> 1)) | (0xffff ^ (even | (C ^ (C >> 1))));
  return ((spread(odd) << 1) | spread(even)) >>> 0;
}

/** Puts a zero before each of 16 bits. */
function spread(bits: number): number {
  let value = bits & 0xffff;
  value = (value | (value << 8)) & 0x00ff00ff;
  value = (value | (value << 4)) & 0x0f0f0f0f;
  value = (value | (value << 2)) & 0x33333333;
  return (value | (value << 1)) & 0x55555555;
}

/**
 * The bytes of the tree over features that stand in a file.
 *
 * @param boxes - four numbers each, by the number of the feature
 * @param order - the features in the order of the file
 * @param offsets - where each begins, in that order, counted from the first
 */
export function encodeTree(boxes: Float64Array, order: Uint32Array, offsets: Float64Array, nodeSize: number): Uint8Array {
  const levels = treeLevels(order.length, nodeSize);
  const leaves = levels.at(-1)!;
  const bytes = new Uint8Array((leaves.first + leaves.count) * NODE_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [i, feature] of order.entries()) {
    const at = (leaves.first + i) * NODE_BYTES;
    for (let k = 0; k < 4; k += 1) view.setFloat64(at + 8 * k, boxes[4 * feature + k]!, true);
    view.setBigUint64(at + 32, BigInt(offsets[i]!), true);
  }
  for (let depth = levels.length - 2; depth >= 0; depth -= 1) {
    const { first, count } = levels[depth]!;
    const below = levels[depth + 1]!;
    for (let i = 0; i < count; i += 1) {
      const start = below.first + i * nodeSize;
      const end = Math.min(start + nodeSize, below.first + below.count);
      const at = (first + i) * NODE_BYTES;
      for (let k = 0; k < 4; k += 1) {
        let value = view.getFloat64(start * NODE_BYTES + 8 * k, true);
        for (let child = start + 1; child < end; child += 1) {
          const other = view.getFloat64(child * NODE_BYTES + 8 * k, true);
          value = k < 2 ? Math.min(value, other) : Math.max(value, other);
        }
        view.setFloat64(at + 8 * k, value, true);
      }
      view.setBigUint64(at + 32, BigInt(start), true);
    }
  }
  return bytes;
}
