import { describe, expect, test } from "vitest";

import { modelBands } from "./model-bands.ts";

const unnamed = (bands: number): { bands: number; bandNames: string[] } => ({
  bands,
  bandNames: Array.from({ length: bands }, (_, i) => `band ${i + 1}`),
});
const first = { bandNames: ["band 1", "band 2", "band 3"], bandIndices: [0, 1, 2] };
const chosen = { bandNames: ["B04", "B03", "B02"], bandIndices: [3, 2, 1] };

describe("bands of a model in a scene", () => {
  test("by name, in any order and case", () => {
    expect(modelBands(chosen, { bands: 4, bandNames: ["b02", "b03", "b04", "b08"] })).toEqual([2, 1, 0]);
  });

  test("by position in a scene like the training rasters", () => {
    expect(modelBands({ ...first, sourceBands: 3 }, unnamed(3))).toEqual([0, 1, 2]);
    expect(modelBands({ ...first, sourceBands: 12 }, unnamed(12))).toEqual([0, 1, 2]);
    expect(modelBands({ ...chosen, sourceBands: 12 }, unnamed(12))).toEqual([3, 2, 1]);
  });

  test("by position in a narrower scene that still has them", () => {
    expect(modelBands({ ...first, sourceBands: 4 }, unnamed(3))).toEqual([0, 1, 2]);
  });

  test.each([
    ["more bands than in training", { ...first, sourceBands: 3 }, unnamed(12)],
    ["more bands, other names", { ...chosen, sourceBands: 4 }, { bands: 5, bandNames: ["blue", "green", "red", "nir", "swir"] }],
    ["more bands, a package that does not say", first, unnamed(12)],
    ["too few bands", { ...chosen, sourceBands: 12 }, unnamed(3)],
  ])("refused: %s", (_, manifest, scene) => {
    expect(() => modelBands(manifest, scene)).toThrow(expect.objectContaining({ code: "BANDS_MISMATCH" }));
  });

  test("a choice is advised only where there are enough", () => {
    const hintOf = (bands: number): unknown => {
      try {
        return modelBands({ ...chosen, sourceBands: 12 }, unnamed(bands));
      } catch (error) {
        return `${(error as Error).message} ${(error as { hint?: string }).hint}`;
      }
    };
    expect(hintOf(1)).toMatch(/^There is 1 band .* Give a raster that has its 3 bands\.$/);
    expect(hintOf(3)).toMatch(/^There are 3 bands .* Choose its 3 bands/);
  });

  test("by position where a package does not say how many there were, but they are not the first ones", () => {
    expect(modelBands(chosen, unnamed(12))).toEqual([3, 2, 1]);
  });
});
