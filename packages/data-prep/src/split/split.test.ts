import { mkdirSync, readFileSync, writeFileSync } from "node:fs";

import type { Bounds } from "@geolearn/core";
import { afterAll, describe, expect, it } from "vitest";

import type { ChipRecord } from "../chips/chip-record.ts";
import type { ChipSource } from "../chips/chip.ts";
import { collectWarnings, Scratch } from "../data-prep.testing.ts";
import { blockSplit } from "./block-split.ts";
import { chipFootprints } from "./footprint.ts";
import { makeSplit } from "./make-split.ts";
import { measureOverlap } from "./overlap.ts";
import { randomSplit } from "./random-split.ts";
import type { SplitInput } from "./split.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());

const CHIP = 64;

/** Chips on a grid, half of a chip apart. */
function records(columns: number, rows: number, stride = 32, crs: string | null = "EPSG:32633"): ChipRecord[] {
  return Array.from({ length: columns * rows }, (_, i) => {
    const [col, row] = [(i % columns) * stride, Math.floor(i / columns) * stride];
    return {
      name: String(i).padStart(9, "0"),
      version: "1",
      transform: [1, 0, 500_000 + col, 0, -1, 5_000_000 - row],
      crs,
      moments: [{ min: 0, max: 1, mean: 0.5, m2: 1, count: CHIP * CHIP }],
      labels: [
        [0, 3000 - (col % 100)],
        [1, 1096 + (col % 100)],
      ],
    };
  });
}

function input(list: readonly ChipRecord[], valSplit: number, seed: number): SplitInput {
  return {
    names: list.map(({ name }) => name),
    footprints: chipFootprints(list, CHIP, CHIP),
    classPixels: list.map(({ labels }) => Float64Array.from(labels, ([, pixels]) => pixels)),
    valSplit,
    seed,
  };
}

const source = (list: readonly ChipRecord[]): ChipSource => ({
  name: "chips",
  width: CHIP,
  height: CHIP,
  bands: 1,
  bandNames: ["a"],
  sampleType: "uint8",
  classes: [],
  chips: list,
  folder: null,
  read: () => Promise.reject(new Error("not needed")),
  close: async () => undefined,
});

/** Ground two chips share. */
function shared(a: Bounds, b: Bounds): number {
  return Math.max(0, Math.min(a[2], b[2]) - Math.max(a[0], b[0])) * Math.max(0, Math.min(a[3], b[3]) - Math.max(a[1], b[1]));
}

describe("blocks", () => {
  it.each([
    [20, 20, 0.2],
    [15, 31, 0.2],
    [40, 3, 0.1],
    [12, 12, 0.4],
    [9, 9, 0.2],
  ])("of %i x %i chips never share ground across the split (%d)", (columns, rows, valSplit) => {
    const list = records(columns, rows);
    for (let seed = 0; seed < 12; seed++) {
      const own = input(list, valSplit, seed);
      const split = blockSplit(own);
      for (const v of split.valid) for (const t of split.train) expect(shared(own.footprints![v]!, own.footprints![t]!)).toBe(0);
      expect(split.train.length + split.valid.length + split.dropped.length).toBe(list.length);
      expect(new Set([...split.train, ...split.valid, ...split.dropped]).size).toBe(list.length);
      expect(split.valid.length / list.length).toBeGreaterThan(valSplit * 0.6);
      expect(split.valid.length / list.length).toBeLessThan(valSplit * 1.5);
      expect(split.dropped.length / list.length).toBeLessThan(0.25);
      // a chip is left out only because it reaches into validation
      for (const d of split.dropped) expect(split.valid.some((v) => shared(own.footprints![v]!, own.footprints![d]!) > 0)).toBe(true);
    }
  });

  it("lose nothing where chips do not overlap", () => {
    const split = blockSplit(input(records(10, 10, 64), 0.2, 3));
    expect(split.dropped).toEqual([]);
    expect(split.valid).toHaveLength(20);
  });

  it("differ by seed and are the same for the same seed", () => {
    const list = records(20, 20);
    const sides = [1, 2, 3].map((seed) => blockSplit(input(list, 0.2, seed)).valid.join());
    expect(new Set(sides).size).toBeGreaterThan(1);
    expect(blockSplit(input(list, 0.2, 2)).valid.join()).toBe(sides[1]);
  });

  it("keep a rare class on both sides where they can", () => {
    const list = records(20, 20).map((record, i) =>
      Math.floor(i / 20) < 10 && i % 20 < 10
        ? { ...record, labels: [...record.labels, [2, 50] as const] }
        : { ...record, labels: [...record.labels, [2, 0] as const] },
    );
    const split = blockSplit(input(list, 0.2, 5));
    const rare = (side: readonly number[]): number => side.reduce((sum, i) => sum + list[i]!.labels[2]![1], 0);
    expect(rare(split.valid)).toBeGreaterThan(0);
    expect(rare(split.train)).toBeGreaterThan(0);
  });

  it("are refused without positions, and when every choice would empty a side", () => {
    expect(() => blockSplit({ ...input(records(4, 4), 0.2, 1), footprints: null })).toThrowError(
      expect.objectContaining({ code: "SPLIT_IMPOSSIBLE" }),
    );
    expect(() => blockSplit(input(records(3, 1, 1), 0.3, 1))).toThrowError(expect.objectContaining({ code: "SPLIT_IMPOSSIBLE" }));
    expect(() => blockSplit(input(records(1, 1), 0.3, 1))).toThrowError(expect.objectContaining({ code: "SPLIT_IMPOSSIBLE" }));
  });

  it("see chips of two UTM zones on the same ground", () => {
    const zone33 = records(6, 6);
    // 500 km east of the zone's edge the neighbour's coordinates differ, the ground is the same
    const zone32 = zone33.map((record, i): ChipRecord => ({
      ...record,
      name: `b${i}`,
      crs: "EPSG:32632",
      transform: [1, 0, 500_000 + 9e5, 0, -1, 5e6],
    }));
    const bounds = chipFootprints([...zone33, ...zone32], CHIP, CHIP)!;
    expect(bounds).toHaveLength(72);
    expect(bounds[0]![2] - bounds[0]![0]).toBeGreaterThan(60);
    expect(bounds[0]![2] - bounds[0]![0]).toBeLessThan(70);
  });
});

describe("random splits", () => {
  it("have the wanted share and warn of what they leak", async () => {
    const list = records(12, 12);
    const { warnings, onWarning } = collectWarnings();
    const all = list.map((_, i) => i);
    const split = await makeSplit(list, all, { chips: source(list), folder: null, choice: "random", valSplit: 0.25, seed: 1, onWarning });
    expect(split.valid).toHaveLength(36);
    expect(warnings.map(({ code }) => code)).toEqual(["SPLIT_LEAKS"]);
    const bounds = chipFootprints(list, CHIP, CHIP)!;
    const { chips, share } = measureOverlap(bounds, split.train, split.valid);
    expect(warnings[0]!.message).toContain(`${chips} of 36 validation chips`);
    expect(share).toBeGreaterThan(0.8);
    expect(randomSplit(input(list, 0.25, 1)).valid).toEqual(split.valid);
  });

  it("do not warn when chips only touch", async () => {
    const list = records(8, 8, 64);
    const { warnings, onWarning } = collectWarnings();
    await makeSplit(
      list,
      list.map((_, i) => i),
      { chips: source(list), folder: null, choice: "random", valSplit: 0.25, seed: 1, onWarning },
    );
    expect(warnings).toEqual([]);
  });
});

describe("files", () => {
  it("keep the split, and a list of names decides it", async () => {
    const list = records(12, 12);
    const all = list.map((_, i) => i);
    const folder = scratch.path("stored");
    mkdirSync(folder);
    const options = { chips: source(list), folder, valSplit: 0.2, seed: 7 };
    const made = await makeSplit(list, all, { ...options, choice: "blocks" });
    const stored = JSON.parse(readFileSync(scratch.path("stored/split.json"), "utf8")) as { valid: string[]; dropped: string[] };
    expect(stored.valid).toEqual(made.valid.map((i) => list[i]!.name));
    expect(await makeSplit(list, all, { ...options, choice: "blocks" })).toEqual(made);

    const again = await makeSplit(list, all, { ...options, folder: null, choice: scratch.path("stored/split.json") });
    expect([again.train, again.valid, again.dropped]).toEqual([made.train, made.valid, made.dropped]);

    writeFileSync(scratch.path("list.txt"), "images\\000000003.tif\n000000004\n");
    const listed = await makeSplit(list, all, { ...options, choice: scratch.path("list.txt") });
    expect(listed.valid).toEqual([3, 4]);
    expect(listed.train).toHaveLength(142);

    writeFileSync(scratch.path("wrong.txt"), "nobody\n");
    await expect(makeSplit(list, all, { ...options, choice: scratch.path("wrong.txt") })).rejects.toMatchObject({
      code: "SPLIT_IMPOSSIBLE",
    });
    await expect(makeSplit(list, all, { ...options, choice: scratch.path("missing.txt") })).rejects.toMatchObject({
      code: "FILE_NOT_FOUND",
    });
  });
});
