/** Pictures of results: which images stand beside truth and prediction. */

import { type ShownPicture, shownPictures } from "@geolearn/data-prep";
import { describe, expect, test } from "vitest";

import { createLearner } from "../../learner/create-learner.ts";
import { discData } from "../../testing/memory-data.ts";
import { type Example, resultsFigure, resultsPicture } from "./results.ts";

const SIDE = 4;
const CLASSES = [
  { value: 0, name: "no change", color: [0, 0, 0] },
  { value: 1, name: "built", color: [255, 0, 0] },
] as const;
const DATES = ["earlier", "earlier", "earlier", "later", "later", "later"] as const;

/** The earlier date becomes lighter from left to right, the later one darker. */
function example(): Example {
  const image = Float32Array.from({ length: SIDE * SIDE * 6 }, (_, i) => {
    const column = Math.floor(i / 6) % SIDE;
    return 100 * (i % 6 < 3 ? column : SIDE - 1 - column);
  });
  const truth = Int32Array.from({ length: SIDE * SIDE }, (_, i) => (i < SIDE ? 1 : 0));
  return { name: "one", width: SIDE, height: SIDE, bands: 6, image, truth, predicted: truth };
}

function shown(examples: readonly Example[], dates?: typeof DATES, rgb?: readonly number[]): readonly ShownPicture[] {
  const statistics = Array.from({ length: 6 }, () => ({ min: 0, max: 300, mean: 150, std: 112, count: 16 }));
  const images = examples.map(({ image }) => image);
  return shownPictures({ bands: 6, bandNames: [], statistics, ...(dates && { dates }) }, images, rgb);
}

const titlesOf = (svg: string): string[] => [...svg.matchAll(/y="40"[^>]*>([^<]+)</g)].map(([, title]) => title!);

describe("results of two dates", () => {
  test("show both, and errors on the later one", async () => {
    const examples = [example()];
    const { svg } = await resultsFigure(examples, CLASSES, shown(examples, DATES));
    expect(titlesOf(svg!)).toEqual(["earlier", "later", "truth", "prediction", "errors"]);
    // red in the first row of the five panels, which stand side by side with gaps of 4 pixels
    const { data, width } = resultsPicture(examples, CLASSES, shown(examples, DATES));
    const red = (panel: number, column: number): number => data[4 * (4 * width + 4 + panel * (SIDE + 4) + column)]!;
    expect([red(0, 0) < red(0, 3), red(1, 0) > red(1, 3), red(4, 0) > red(4, 3)]).toEqual([true, true, true]);
  });

  test("of one date show one image", async () => {
    const { svg } = await resultsFigure([example()], CLASSES, shown([example()]));
    expect(titlesOf(svg!)).toEqual(["image", "truth", "prediction", "errors"]);
  });

  test("take bands of each date", async () => {
    const picture = (rgb: readonly number[]): Promise<string> =>
      resultsFigure([example()], CLASSES, shown([example()], DATES, rgb)).then(({ svg }) => svg!);
    expect(await picture([0, 1, 2])).toBe(await picture([3, 4, 5]));
  });
});

test("a Learner's results show red, green and blue where bands bear these names", async () => {
  const learner = await createLearner({ ...discData(), bandNames: ["blue", "green", "red"] }, { base: 4, depth: 2, threads: 1 });
  const picture = (rgb?: readonly (number | string)[]): Promise<string> =>
    learner.showResults(undefined, { rows: 1, ...(rgb && { rgb }) }).then(({ svg }) => svg!);
  const usual = await picture();
  expect(usual).toBe(await picture([2, 1, 0]));
  expect(usual).toBe(await picture(["red", "green", "blue"]));
  expect(usual).not.toBe(await picture(["red"]));
  await learner.dispose();
});
