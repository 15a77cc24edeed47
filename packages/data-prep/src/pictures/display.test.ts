import { createRng } from "@geolearn/core";
import { describe, expect, test } from "vitest";

import { shownPictures } from "./display.ts";

const SIDE = 64;
/** A coast: values of 200 for the sea to 3000 for the land. */
const COAST = { min: 150, max: 4000, mean: 1500, std: 900, count: 1e6 };

/** One band about a mean. */
function chip(mean: number, std: number): Float32Array {
  const rng = createRng(1);
  return Float32Array.from({ length: SIDE * SIDE }, () => mean + std * rng.normal());
}

const rangeOf = (images: readonly Float32Array[], statistics = [COAST]): readonly [number, number] =>
  shownPictures({ bands: 1, bandNames: [], statistics }, images)[0]!.ranges[0]!;

describe("the stretch of chips", () => {
  test("keeps a calm sea calm, and dark as it is among the land", () => {
    const [low, high] = rangeOf([chip(200, 5)]);
    const grey = (value: number): number => (255 * (value - low)) / (high - low);
    expect([grey(200) < 3, grey(215) - grey(185) < 5]).toEqual([true, true]);
  });

  test("is the percentiles' where these reach further than what is usual", () => {
    const [low, high] = rangeOf([chip(1500, 1000)]);
    // 2nd and 98th percentile of a normal distribution: 2.05 deviations from its mean
    expect([low, high].map((value) => Math.abs((value - 1500) / 1000))).toEqual([expect.closeTo(2.05, 1), expect.closeTo(2.05, 1)]);
  });

  test("is that of all chips together", () => {
    const [low, high] = rangeOf([chip(200, 5), chip(3800, 5)]);
    expect([low, high]).toEqual([expect.closeTo(191, -1), expect.closeTo(3809, -1)]);
  });

  test("does not go beyond the values there are, and is that of the chips where nothing is known", () => {
    expect(rangeOf([chip(100, 0)], [{ min: 0, max: 255, mean: 20, std: 60, count: 10 }])).toEqual([0, 100]);
    expect(rangeOf([chip(7, 0)], [])).toEqual([7, 7]);
    expect(rangeOf([chip(7, 0)], [{ min: NaN, max: NaN, mean: NaN, std: NaN, count: 0 }])).toEqual([7, 7]);
  });

  test("of a large set is that of evenly spaced pixels", () => {
    const [low, high] = rangeOf(Array.from({ length: 60 }, (_, k) => chip(1000 + k, 0)));
    expect([low, high]).toEqual([600, 2400]);
  });
});
