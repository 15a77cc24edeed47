import type { Warning } from "@geolearn/core";
import { expect, test } from "vitest";

import { compareDates } from "./dates.ts";

const NAMES = ["red before", "nir before", "red after", "nir after"];
const DATES = ["earlier", "earlier", "later", "later"] as const;

function warningsOf(modelType: string, bands: readonly number[], dated: boolean): string[] {
  const codes: Warning[] = [];
  const data = {
    bands: bands.length,
    bandNames: bands.map((band) => NAMES[band]!),
    ...(dated && { dates: bands.map((band) => DATES[band]!) }),
  };
  compareDates(data, modelType, (warning) => codes.push(warning));
  return codes.map(({ code, hint }) => `${code} ${hint}`);
}

test("a network of one image on chips of two dates is told of, one on bands of one date is not", () => {
  expect(warningsOf("unet", [0, 1, 2, 3], true)).toEqual([expect.stringMatching(/^CHIPS_OF_TWO_DATES .*`bands: \[0, 1\]`/)]);
  expect(warningsOf("unet", [0, 1], true)).toEqual([]);
  expect(warningsOf("unet", [0, 1, 2, 3], false)).toEqual([]);
});

test("a change detector wants the earlier date first, and is told of single images", () => {
  expect(warningsOf("change-detector", [0, 1, 2, 3], true)).toEqual([]);
  expect(warningsOf("change-detector", [0, 2], true)).toEqual([]);
  expect(warningsOf("change-detector", [0, 1, 2, 3], false)).toEqual([expect.stringMatching(/^CHIPS_OF_ONE_DATE/)]);
  for (const bands of [
    [0, 2, 1, 3],
    [2, 3, 0, 1],
    [0, 1],
  ]) {
    expect(() => warningsOf("change-detector", bands, true)).toThrow(expect.objectContaining({ code: "BANDS_MISMATCH" }) as Error);
  }
});
