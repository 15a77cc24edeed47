/** A change detector learns what came to be between two dates, and leaves alone what was there before. */

import { createRng } from "@geolearn/core";
import { expect, test } from "vitest";

import { type MemoryChip, memoryData } from "../testing/memory-data.ts";
import { createLearner } from "./create-learner.ts";

const SIDE = 32;

/** Chips of two bands, one a date: the same ground with bright discs, some of which only the later date has. */
function pairs(count: number, seed: number): MemoryChip[] {
  const rng = createRng(seed);
  return Array.from({ length: count }, (_, n) => {
    const image = new Float32Array(SIDE * SIDE * 2);
    const target = new Int32Array(SIDE * SIDE);
    const disc = (): readonly [number, number, number] => [4 + rng.int(24), 4 + rng.int(24), 3 + rng.int(3)];
    const [kept, built] = [
      [disc(), disc()],
      [disc(), disc()],
    ];
    const covers = (discs: readonly (readonly [number, number, number])[], row: number, col: number): boolean =>
      discs.some(([y, x, radius]) => (row - y) ** 2 + (col - x) ** 2 <= radius ** 2);
    for (let i = 0; i < SIDE * SIDE; i++) {
      const [row, col] = [Math.floor(i / SIDE), i % SIDE];
      const [was, is] = [covers(kept, row, col), covers(kept, row, col) || covers(built, row, col)];
      image[2 * i] = 100 + (was ? 60 : 0) + 5 * rng.normal();
      image[2 * i + 1] = 110 + (is ? 60 : 0) + 5 * rng.normal();
      target[i] = is && !was ? 1 : 0;
    }
    return { name: `${seed}-${n}`, image, target };
  });
}

test.each(["difference", "concat"] as const)("by %s", { timeout: 120_000 }, async (fusion) => {
  const classes = [
    { value: 0, name: "no change", color: [0, 0, 0] },
    { value: 1, name: "built", color: [255, 0, 0] },
  ] as const;
  const data = memoryData({ train: pairs(24, 1), valid: pairs(6, 2), side: SIDE, bands: 2, classes, batchSize: 4 });
  const learner = await createLearner(data, { modelType: "change-detector", base: 8, depth: 2, fusion, seed: 3 });
  const { epochs } = await learner.fit({ epochs: 8, lr: 5e-3 });
  expect(epochs.at(-1)!.trainLoss).toBeLessThan(0.5 * epochs[0]!.trainLoss);
  const { classes: found } = await learner.evaluate();
  expect(found.find(({ name }) => name === "built")!.iou).toBeGreaterThan(0.6);
  await learner.dispose();
});

test("is told of chips with one image each, whose bands are taken by halves", async () => {
  const classes = [
    { value: 0, name: "no change", color: [0, 0, 0] },
    { value: 1, name: "built", color: [255, 0, 0] },
  ] as const;
  const data = memoryData({ train: pairs(4, 1), valid: pairs(2, 2), side: SIDE, bands: 2, classes });
  for (const [modelType, codes] of [
    ["change-detector", ["CHIPS_OF_ONE_DATE"]],
    ["unet", []],
  ] as const) {
    const told: string[] = [];
    const learner = await createLearner(data, { modelType, base: 4, depth: 2, seed: 3, onWarning: ({ code }) => void told.push(code) });
    expect(told).toEqual(codes);
    await learner.dispose();
  }
});
