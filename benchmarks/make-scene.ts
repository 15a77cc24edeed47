/** A seeded scene for benchmarks: fields of slowly changing colour, buildings, grain; three bands of uint8. */

import { createRaster, createRng, parseCrs } from "@geolearn/core";

/** Writes a scene of `size` x `size` pixels. The same size and seed give the same pixels. */
export async function makeScene(path: string, size: number, seed: number): Promise<void> {
  const writer = await createRaster(path, {
    width: size,
    height: size,
    bands: 3,
    sampleType: "uint8",
    transform: [0.5, 0, 300_000, 0, -0.5, 5_000_000],
    crs: parseCrs(32633),
    overviews: "none",
    level: 1,
  });
  try {
    const rows = 512;
    for (let row = 0; row < size; row += rows) {
      const count = Math.min(rows, size - row);
      await writer.appendRows(sceneRows(size, row, count, seed), count);
    }
    await writer.close();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

const CELL = 64;

/** Rows [row, row + count), `[3][count][size]`; every pixel depends on the seed and its position alone. */
function sceneRows(size: number, row: number, count: number, seed: number): Uint8Array {
  const out = new Uint8Array(3 * count * size);
  const grain = createRng([seed, row]);
  for (let y = 0; y < count; y++) {
    const top = Math.floor((row + y) / CELL);
    const fy = (row + y) / CELL - top;
    for (let left = 0; left * CELL < size; left++) {
      const corners = [cell(seed, left, top), cell(seed, left + 1, top), cell(seed, left, top + 1), cell(seed, left + 1, top + 1)];
      const house = cell(seed + 1, left, top);
      const inRows = fy * CELL >= 8 + (house & 15) && fy * CELL < 30 + ((house >> 4) & 31);
      const end = Math.min(CELL, size - left * CELL);
      for (let x = 0; x < end; x++) {
        const inside = inRows && x >= 6 + ((house >> 9) & 15) && x < 28 + ((house >> 13) & 31) && (house & 3) !== 0;
        const noise = grain.int(24);
        for (let band = 0; band < 3; band++) {
          const at = (i: number): number => (corners[i]! >> (8 * band)) & 255;
          const fx = x / CELL;
          const field = (at(0) * (1 - fx) + at(1) * fx) * (1 - fy) + (at(2) * (1 - fx) + at(3) * fx) * fy;
          const value = inside ? 120 + ((house >> (4 * band)) & 63) : 30 + field * 0.55;
          out[(band * count + y) * size + left * CELL + x] = Math.min(255, value + noise);
        }
      }
    }
  }
  return out;
}

/** 32 random bits of a cell. */
function cell(seed: number, col: number, row: number): number {
  let h = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(col + 1, 0xc2b2ae35) ^ Math.imul(row + 1, 0x27d4eb2f);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  h = Math.imul(h ^ (h >>> 12), 0x297a2d39);
  return (h ^ (h >>> 15)) >>> 0;
}
