import { createRng } from "@geolearn/core";
import { describe, expect, it } from "vitest";

import { checkAugmentation, resolveAugmentation } from "../augment/options.ts";
import { drawRecipe, plainRecipe, type Recipe } from "../augment/recipe.ts";
import { IGNORE_INDEX } from "../learning-data.ts";
import { assembleBatch, type AssembleSetup, type LabelledPixels } from "./assemble.ts";

/** A chip whose single band holds ten times its label, so that image and label can be compared after any change. */
function chip(width: number, height: number, changes: Partial<LabelledPixels> = {}): LabelledPixels {
  const labels = Uint16Array.from({ length: width * height }, (_, i) => i % 23);
  return {
    image: Int16Array.from(labels, (value) => value * 10),
    labels,
    mask: null,
    width,
    height,
    nodata: null,
    sampleType: "int16",
    ...changes,
  };
}

function setup(width: number, height: number, changes: Partial<AssembleSetup> = {}): AssembleSetup {
  const indexOf = new Int32Array(65536).fill(IGNORE_INDEX);
  for (let value = 0; value < 23; value++) indexOf[value] = value;
  return { kind: "pixels", width, height, bands: [0], means: [-7], deviations: [1], indexOf, batchSize: 1, ...changes };
}

const square = { sourceWidth: 9, sourceHeight: 9, width: 9, height: 9 };

describe("flips and quarter turns", () => {
  it("are the eight symmetries of a square, image and labels alike", () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 200; seed++) {
      const recipe = drawRecipe(createRng(seed), resolveAugmentation(true), square);
      expect(recipe.exact).toBe(true);
      const { images, targets } = assembleBatch(setup(9, 9), { chips: [chip(9, 9)], recipes: [recipe] });
      targets.forEach((target, i) => expect(images[i]).toBe(target * 10));
      seen.add(targets.join());
    }
    expect(seen.size).toBe(8);
  });

  it("of chips that are not square keep their shape", () => {
    const sizes = { sourceWidth: 7, sourceHeight: 5, width: 7, height: 5 };
    const seen = new Set<string>();
    for (let seed = 0; seed < 100; seed++) {
      const recipe = drawRecipe(createRng(seed), resolveAugmentation(true), sizes);
      const { images, targets } = assembleBatch(setup(7, 5), { chips: [chip(7, 5)], recipes: [recipe] });
      expect(targets.slice().sort()).toEqual(Int32Array.from(chip(7, 5).labels).sort());
      targets.forEach((target, i) => expect(images[i]).toBe(target * 10));
      seen.add(targets.join());
    }
    expect(seen.size).toBe(4);
  });

  it("cut a part out of the chip", () => {
    const sizes = { sourceWidth: 12, sourceHeight: 10, width: 6, height: 6 };
    for (let seed = 0; seed < 50; seed++) {
      const recipe = drawRecipe(createRng(seed), resolveAugmentation(true), sizes);
      const { images, targets } = assembleBatch(setup(6, 6), { chips: [chip(12, 10)], recipes: [recipe] });
      expect(targets).not.toContain(IGNORE_INDEX);
      targets.forEach((target, i) => expect(images[i]).toBe(target * 10));
    }
    const middle = assembleBatch(setup(6, 6), { chips: [chip(12, 10)], recipes: [plainRecipe(sizes)] });
    expect(middle.targets[0]).toBe((2 * 12 + 3) % 23);
  });
});

describe("free rotation and zoom", () => {
  it("by nothing is the chip itself", () => {
    const recipe: Recipe = { ...plainRecipe(square), exact: false };
    const { images, targets } = assembleBatch(setup(9, 9), { chips: [chip(9, 9)], recipes: [recipe] });
    expect(Array.from(targets)).toEqual(Array.from(chip(9, 9).labels));
    targets.forEach((target, i) => expect(images[i]).toBeCloseTo(target * 10, 4));
  });

  it("interpolate the image bilinearly and ignore what lies outside", () => {
    // a ramp in x: turned and scaled it is a ramp along the turned axis
    const size = 21;
    const ramp = chip(size, size, {
      image: Float32Array.from({ length: size * size }, (_, i) => i % size),
      labels: new Uint16Array(size * size).fill(1),
      sampleType: "float32",
    });
    const angle = Math.PI / 6;
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
    const c = size / 2;
    const toSource = [cos, -sin, c - cos * c + sin * c, sin, cos, c - sin * c - cos * c] as const;
    const recipe: Recipe = { ...plainRecipe({ sourceWidth: size, sourceHeight: size, width: size, height: size }), toSource, exact: false };
    const { images, targets } = assembleBatch(setup(size, size), { chips: [ramp], recipes: [recipe] });
    for (let row = 0; row < size; row++) {
      for (let col = 0; col < size; col++) {
        const x = cos * (col + 0.5 - c) - sin * (row + 0.5 - c) + c;
        const y = sin * (col + 0.5 - c) + cos * (row + 0.5 - c) + c;
        const i = row * size + col;
        if (x < 0 || y < 0 || x >= size || y >= size) expect([images[i], targets[i]]).toEqual([-7, IGNORE_INDEX]);
        else if (x > 0.5 && x < size - 0.5) expect(images[i]).toBeCloseTo(x - 0.5, 4);
      }
    }
  });

  it("draw angles and factors inside their range, the same for the same seed", () => {
    const augment = resolveAugmentation({ flips: false, quarterTurns: false, rotate: 30, zoom: [0.8, 1.25] });
    for (let seed = 0; seed < 200; seed++) {
      const { toSource } = drawRecipe(createRng(seed), augment, square);
      const scale = Math.hypot(toSource[0], toSource[3]);
      expect(1 / scale).toBeGreaterThanOrEqual(0.8 - 1e-9);
      expect(1 / scale).toBeLessThanOrEqual(1.25 + 1e-9);
      expect(Math.abs(Math.atan2(toSource[3], toSource[0]))).toBeLessThanOrEqual(Math.PI / 6 + 1e-9);
      expect(drawRecipe(createRng(seed), augment, square)).toEqual(drawRecipe(createRng(seed), augment, square));
    }
  });
});

describe("tone", () => {
  it("shifts, stretches and adds noise in units of the band's deviation, inside the type's range", () => {
    const flat = chip(64, 64, { image: new Uint8Array(4096).fill(120), labels: new Uint16Array(4096), sampleType: "uint8" });
    const sizes = { sourceWidth: 64, sourceHeight: 64, width: 64, height: 64 };
    const own = setup(64, 64, { means: [100], deviations: [20] });
    const tone = (changes: Partial<Recipe>): Float32Array =>
      assembleBatch(own, { chips: [flat], recipes: [{ ...plainRecipe(sizes), ...changes }] }).images;
    expect(tone({ brightness: 0.5 })[0]).toBe(130);
    expect(tone({ contrast: 1.5 })[0]).toBe(130);
    expect(tone({ brightness: 50 })[0]).toBe(255);
    expect(tone({ brightness: -50 })[0]).toBe(0);
    const noisy = tone({ noise: 0.5, noiseSeed: 3 });
    const mean = noisy.reduce((sum, value) => sum + value, 0) / noisy.length;
    const std = Math.sqrt(noisy.reduce((sum, value) => sum + (value - mean) ** 2, 0) / noisy.length);
    expect(mean).toBeCloseTo(120, 0);
    expect(std).toBeGreaterThan(9.5);
    expect(std).toBeLessThan(10.5);
    expect(tone({ noise: 0.5, noiseSeed: 3 })).toEqual(noisy);
  });
});

describe("missing samples", () => {
  it("hold the band's mean; masked pixels are ignored, one missing band is not", () => {
    const labels = new Uint16Array(4).fill(2);
    const two: LabelledPixels = {
      image: Float32Array.from([1, -9999, Number.NaN, 4, 5, 6, 7, Number.POSITIVE_INFINITY]),
      labels,
      mask: Uint8Array.from([1, 1, 1, 0]),
      width: 2,
      height: 2,
      nodata: -9999,
      sampleType: "float32",
    };
    const own = setup(2, 2, { bands: [1, 0], means: [50, 60], deviations: [1, 1], batchSize: 2 });
    const sizes = { sourceWidth: 2, sourceHeight: 2, width: 2, height: 2 };
    const { images, targets } = assembleBatch(own, { chips: [two], recipes: [plainRecipe(sizes)] });
    expect(Array.from(images.subarray(0, 8))).toEqual([5, 1, 6, 60, 7, 60, 50, 60]);
    expect(Array.from(targets)).toEqual([2, 2, 2, -1, -1, -1, -1, -1]);
    expect(Array.from(images.subarray(8))).toEqual([50, 60, 50, 60, 50, 60, 50, 60]);
  });
});

describe("options", () => {
  it.each([{ rotate: 400 }, { zoom: 0 }, { zoom: [2, 1] as const }, { brightness: -1 }, { noise: Number.NaN }])("refuse %j", (augment) => {
    expect(() => checkAugmentation(augment)).toThrowError(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });
});
