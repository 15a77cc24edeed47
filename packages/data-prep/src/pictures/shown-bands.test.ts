import { describe, expect, test } from "vitest";

import { shownBands } from "./shown-bands.ts";

const SENTINEL = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12"];
const bandsOf = (bandNames: readonly string[], rgb?: readonly (number | string)[]): readonly number[] =>
  shownBands({ bands: bandNames.length, bandNames }, rgb)[0]!.bands;

describe("bands of a picture", () => {
  test.each<[readonly string[], readonly number[]]>([
    [SENTINEL, [3, 2, 1]],
    [
      ["B2", "B3", "B4", "B8"],
      [2, 1, 0],
    ],
    [
      ["SR_B1", "SR_B2", "SR_B3", "SR_B4", "SR_B5"],
      [3, 2, 1],
    ],
    [
      ["Blue", "Green", "Red", "NIR"],
      [2, 1, 0],
    ],
    [
      ["B2 (blue)", "B3 (green)", "B4 (red)", "B5 (red edge)"],
      [2, 1, 0],
    ],
    [
      ["red_edge", "nir", "band_red", "band_green", "band_blue"],
      [2, 3, 4],
    ],
    [
      ["coastal_blue", "blue", "green_i", "green", "yellow", "red", "rededge", "nir"],
      [5, 3, 1],
    ],
    [
      ["band 1", "band 2", "band 3", "band 4"],
      [0, 1, 2],
    ],
    [
      ["nir", "red", "green"],
      [0, 1, 2],
    ],
    [["height", "slope"], [0]],
  ])("of %j are %j", (names, expected) => {
    expect(bandsOf(names)).toEqual(expected);
  });

  test("without names are the first three", () => {
    expect(shownBands({ bands: 5, bandNames: [] })).toEqual([{ title: "image", bands: [0, 1, 2] }]);
  });

  test("are those that were chosen, by position or name", () => {
    expect(bandsOf(SENTINEL, [7, 3, 2])).toEqual([7, 3, 2]);
    expect(bandsOf(SENTINEL, ["B08", "B04", "B03"])).toEqual([7, 3, 2]);
    expect(bandsOf(SENTINEL, ["B11"])).toEqual([10]);
  });

  test("of two dates are those of each", () => {
    const bandNames = ["blue before", "green before", "red before", "blue after", "green after", "red after"];
    const pairs = { bands: 6, bandNames, dates: [..."eeelll"].map((date) => (date === "e" ? "earlier" : "later")) } as const;
    const both = (earlier: number[], later: number[]): object[] => [
      { title: "earlier", bands: earlier },
      { title: "later", bands: later },
    ];
    expect(shownBands(pairs)).toEqual(both([2, 1, 0], [5, 4, 3]));
    expect(shownBands(pairs, ["blue"])).toEqual(both([0], [3]));
    expect(shownBands(pairs, ["blue after"])).toEqual(both([0], [3]));
    expect(shownBands(pairs, [5])).toEqual(both([2], [5]));
  });

  test.each<[unknown, string]>([
    [[0, 1], "INVALID_ARGUMENT"],
    ["red", "INVALID_ARGUMENT"],
    [null, "INVALID_ARGUMENT"],
    [[12], "BANDS_MISMATCH"],
    [[-1], "BANDS_MISMATCH"],
    [[0.5], "BANDS_MISMATCH"],
    [["B13", "B04", "B03"], "BANDS_MISMATCH"],
  ])("are not %j", (rgb, code) => {
    expect(() => bandsOf(SENTINEL, rgb as number[])).toThrow(expect.objectContaining({ code }) as Error);
  });
});
