/** The numbers that random.ts lets a graph draw, computed here: the same bits. */

const FIRST = 0x7feb352d;
const SECOND = 0x846ca68b | 0;
const ROWS = 0x9e3779b9 | 0;
const COLUMNS = 0x85ebca6b | 0;

function mix(x: number): number {
  const a = Math.imul(x ^ (x >>> 16), FIRST);
  const b = Math.imul(a ^ (a >>> 15), SECOND);
  return b ^ (b >>> 16);
}

/** A mixed word for each of 0..count-1. */
function words(seed: number, id: number, count: number, factor: number): Int32Array {
  const start = mix((seed + Math.imul(id + 1, SECOND)) | 0);
  return Int32Array.from({ length: count }, (_, i) => mix(mix(Math.imul(i + 1, factor) ^ Math.imul(id + 1, FIRST)) ^ start));
}

/** Uniform numbers in [0, 1) of a seed and a place. */
export function uniformNumbers(seed: number, id: number, shape: readonly number[]): Float32Array {
  const size = shape.reduce((product, side) => product * side, 1);
  const columns = Math.ceil(Math.sqrt(size));
  const rows = Math.ceil(size / columns);
  const down = words(seed, id, rows, ROWS);
  const across = words(seed, id, columns, COLUMNS);
  return Float32Array.from({ length: size }, (_, i) => (mix(down[Math.floor(i / columns)]! ^ across[i % columns]!) >>> 8) * 2 ** -24);
}
