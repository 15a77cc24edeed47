import { describe, expect, test } from "vitest";

import { planWindows } from "../windows/window-plan.ts";
import type { SceneObject, Sighting } from "./detection.ts";
import { mergeSightings } from "./merge-sightings.ts";
import { makeTown, scoreTown, seeBoxes, turnBoxes } from "./town.testing.ts";

const TILE = 256;

interface Case {
  readonly name: string;
  readonly sides: readonly [number, number];
  readonly jitter: number;
  readonly side: number;
  readonly things: number;
  readonly overlap: number;
  readonly tall: boolean;
  readonly minIou: number;
}

// A side of 80 pixels, off by 2 at both ends, keeps an IoU of 0.9; a side of 12 keeps 0.5.
const LARGE = { name: "large things, 2 pixels off", sides: [80, 180], jitter: 2, minIou: 0.9 } as const;
const SMALL = { name: "small things", sides: [10, 60], jitter: 0, minIou: 0.9 } as const;
const UNSTEADY = { name: "small things, 2 pixels off", sides: [12, 60], jitter: 2, minIou: 0.5 } as const;

describe("a detector without fault, seen through windows: each thing once, single, touching, and three windows long", () => {
  const cases: Case[] = [
    { ...LARGE, side: 20_500, things: 10_000, overlap: 64, tall: false },
    { ...LARGE, side: 6000, things: 800, overlap: 64, tall: true },
    { ...LARGE, side: 6000, things: 800, overlap: 128, tall: false },
    { ...SMALL, side: 3000, things: 1000, overlap: 64, tall: false },
    { ...SMALL, side: 3000, things: 1000, overlap: 32, tall: true },
    { ...UNSTEADY, side: 3000, things: 1000, overlap: 64, tall: true },
    { ...UNSTEADY, side: 3000, things: 1000, overlap: 128, tall: false },
  ];
  test.each(cases)("$name, overlap $overlap, tall $tall, at least $things", ({ sides, jitter, side, things, overlap, tall, minIou }) => {
    const made = makeTown({ width: side, height: side, seed: 5, sides, longest: 3 * TILE });
    const town = tall ? turnBoxes(made) : made;
    expect(town.length).toBeGreaterThanOrEqual(things);
    const plan = planWindows({ width: side, height: side, tileWidth: TILE, tileHeight: TILE, overlap });
    const seen = seeBoxes(plan, town, { jitter, seed: 9 });
    const found = mergeSightings(plan, seen, { nmsOverlap: 0.5 }).map(({ box }) => box);
    const { matched, splits, merges, extras } = scoreTown(town, found, minIou);
    expect(matched).toBeGreaterThanOrEqual(0.995);
    expect(splits + merges + extras).toBeLessThanOrEqual(0.005 * town.length);
    // the boxes as the windows saw them are no answer
    const raw = scoreTown(
      town,
      seen.flat().map(({ box }) => box),
      minIou,
    );
    expect(raw.splits + raw.extras).toBeGreaterThan(0.3 * town.length);
  });
});

describe("a detector with faults at the borders of its windows", () => {
  // Windows 0 to 256 and 192 to 448, of a scene 448 wide and 256 tall.
  const plan = planWindows({ width: 448, height: 256, tileWidth: 256, tileHeight: 256, overlap: 64 });
  const thing = { box: [225, 100, 265, 140] as const, score: 0.9, classIndex: 0 };
  const merged = (first: readonly Sighting[], second: readonly Sighting[]): SceneObject[] =>
    mergeSightings(plan, [first, second], { nmsOverlap: 0.5 });

  test("a sliver in another class, of a thing the next window sees whole, is no thing of its own", () => {
    const sliver = { box: [252, 101, 256, 139] as const, score: 0.6, classIndex: 1 };
    expect(merged([sliver], [thing])).toMatchObject([{ box: thing.box, classIndex: 0 }]);
  });

  test("a piece in the overlap that the window with the better view does not tell of is left out", () => {
    const imagined = { box: [244, 20, 256, 40] as const, score: 0.7, classIndex: 0 };
    expect(merged([imagined], [thing])).toMatchObject([{ box: thing.box }]);
    // of what lies on the border of both windows there is no better view
    const long = { box: [150, 20, 256, 40] as const, score: 0.7, classIndex: 0 };
    expect(merged([long], [thing])).toHaveLength(2);
  });

  test("sightings that agree two by two, of which some begin where others end, are no single object", () => {
    // Of a network hardly trained, over roofs in a row: windows of 128 pixels that overlap by half.
    const wide = planWindows({ width: 762, height: 508, tileWidth: 128, tileHeight: 128, overlap: 64 });
    const boxes: Readonly<Record<number, readonly [number, number, number, number]>> = {
      49: [402.17, 305.28, 447.79, 366.88],
      60: [393.95, 320, 438.27, 362.95],
      61: [387.77, 320, 511.38, 364.32],
      62: [452.4, 320.06, 576, 364.33],
      63: [516.02, 320, 639.59, 364.2],
    };
    const seen = Array.from({ length: 77 }, (_, i) => (boxes[i] ? [{ box: boxes[i], score: 0.37, classIndex: 0 }] : []));
    const found = mergeSightings(wide, seen, { nmsOverlap: 0.5 });
    expect(found.length).toBeGreaterThan(1);
    for (const { box } of found) expect(box[0] < box[2] && box[1] < box[3], box.join(" ")).toBe(true);
  });

  test("a piece on an outline belongs to it, one beside it in the same box does not", () => {
    // A slanted thing: the lower left half of its box.
    const bits = Uint8Array.from({ length: 100 * 100 }, (_, i) => (i % 100 <= Math.floor(i / 100) ? 1 : 0));
    const slanted = {
      box: [193, 100, 293, 200] as const,
      score: 0.9,
      classIndex: 0,
      mask: { left: 193, top: 100, width: 100, height: 100, bits },
    };
    const full = (left: number, top: number, width: number, height: number): Sighting["mask"] => ({
      ...{ left, top, width, height },
      bits: new Uint8Array(width * height).fill(1),
    });
    // Both pieces reach from before the overlap to the border of the first window, 256.
    const on = { box: [190, 170, 256, 190] as const, score: 0.5, classIndex: 1, mask: full(190, 170, 66, 20) };
    const beside = { box: [190, 100, 256, 104] as const, score: 0.5, classIndex: 1, mask: full(190, 100, 66, 4) };
    expect(merged([on, beside], [{ ...slanted, box: [197, 100, 293, 200] }]).map(({ box }) => box[1])).toEqual([100, 100]);
  });
});
