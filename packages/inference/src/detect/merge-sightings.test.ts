import { describe, expect, test } from "vitest";

import { planWindows } from "../windows/window-plan.ts";
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
