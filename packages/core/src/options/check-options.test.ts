import { describe, expect, test } from "vitest";

import type { GeoLearnError } from "../errors.ts";
import { checkOptions, type OptionRule, type OptionRules } from "./check-options.ts";
import * as rules from "./rules.ts";

interface Options {
  readonly epochs?: number;
  readonly blend?: string;
}

const RULES: OptionRules<Options> = { epochs: rules.whole(1, 100), blend: rules.hinted(rules.oneOf("hann", "crop"), "Try both.") };

function refusal(given: unknown): Pick<GeoLearnError, "code" | "message" | "hint" | "data"> {
  try {
    checkOptions<Options>(given as Options, RULES, "fit()");
  } catch (error) {
    const { code, message, hint, data } = error as GeoLearnError;
    return { code, message, hint, data };
  }
  throw new Error("was taken");
}

describe("options", () => {
  test("are taken when each is as its rule says, and when they are undefined", () => {
    checkOptions<Options>({}, RULES, "fit()");
    checkOptions<Options>({ epochs: 1, blend: "hann" }, RULES, "fit()");
    checkOptions<Partial<Record<keyof Options, unknown>>>({ epochs: undefined, blend: "crop" }, RULES, "fit()");
  });

  test("that there are not are refused before values are", () => {
    expect(refusal({ epochs: 0, belnd: "hann" })).toMatchObject({ message: "fit() has no option `belnd`.", hint: "Did you mean `blend`?" });
  });

  test("that misspell a word are told which was meant", () => {
    const check = (blend: unknown): void => checkOptions({ blend }, { blend: rules.either(rules.boolean, RULES.blend) }, "map()");
    for (const blend of ["Hann", "HANN", "ha-nn"])
      expect(() => check(blend)).toThrow(expect.objectContaining({ hint: 'Did you mean `blend: "hann"`?' }) as Error);
    expect(refusal({ blend: "cropp" })).toMatchObject({ hint: 'Did you mean `blend: "crop"`?' });
    expect(() => check("hand")).toThrow(expect.objectContaining({ hint: "Change `blend`, or leave it out." }) as Error);
  });

  test("that must be given are missed", () => {
    const known = { out: rules.required(rules.path), raster: rules.hinted(rules.required(rules.raster), 'Such as `raster: "a.tif"`.') };
    const check = (given: object): void => checkOptions<{ out?: unknown; raster?: unknown }>(given, known, "map()");
    expect(() => check({ out: "a", raster: "b" })).not.toThrow();
    expect(() => check({ raster: "b" })).toThrow(
      expect.objectContaining({ message: "map(): `out` is undefined; expected a path.", hint: "Give `out`." }) as Error,
    );
    expect(() => check({ out: "a", raster: undefined })).toThrow(expect.objectContaining({ hint: 'Such as `raster: "a.tif"`.' }) as Error);
  });

  test("are refused with the value, what was expected, and what to do", () => {
    expect(refusal({ epochs: "3" })).toEqual({
      code: "INVALID_ARGUMENT",
      message: 'fit(): `epochs` is "3"; expected a whole number from 1 to 100.',
      hint: "Change `epochs`, or leave it out.",
      data: { field: "epochs", value: "3" },
    });
    expect(refusal({ blend: null })).toMatchObject({
      message: 'fit(): `blend` is null; expected "hann" or "crop".',
      hint: "Try both.",
    });
  });
});

const point = rules.fields("x and y", { x: rules.number(-180, 180), y: rules.number(-90, 90) });

test.each<[string, OptionRule, readonly unknown[], readonly unknown[]]>([
  ["any", rules.any, [null, 0, {}], []],
  ["boolean", rules.boolean, [true, false], [0, "true", null]],
  ["text", rules.text, ["a"], ["", 1, null]],
  ["path", rules.path, ["a.tif"], ["", {}, null]],
  ["callback", rules.callback, [() => 0], [{}, "f", null]],
  ["object", rules.object, [{}], [[], null, "a"]],
  ["whole", rules.whole(), [1, 2 ** 40], [0, 1.5, NaN, Infinity, "1", null]],
  ["whole from 0 to 2", rules.whole(0, 2), [0, 2], [-1, 3, 0.5]],
  ["number from 0", rules.number(0), [0, 0.5], [-0.1, NaN, Infinity, "0", null]],
  ["aboveZero", rules.aboveZero, [1e-9], [0, -1, NaN, Infinity, "1"]],
  ["share", rules.share, [0, 0.5, 1], [-0.1, 1.1, NaN, "0.5"]],
  ["length", rules.length, [0, 2, "2 m", "0.5 crs", "3 ft", { value: 2, unit: "m" }], [-1, "-1 m", "two", NaN, null, [2], { value: 2 }]],
  ["lengthAboveZero", rules.lengthAboveZero, [2, "2 m"], [0, "0 crs", -1, NaN]],
  ["bands", rules.bands, [[0, "nir"], []], ["0", [-1], [0.5], [""], null]],
  ["polygons", rules.polygons, ["a.gpkg", { features: [] }], ["", { type: "Polygon" }, 3, null]],
  ["raster", rules.raster, ["a.tif", new Uint8Array(3), ["a.tif"]], ["", null, 3, true]],
  ["bands", rules.bands, [[0, "red"]], ["red", [-1], [0.5], 0]],
  ["oneOf", rules.oneOf("a", "b"), ["a", "b"], ["c", "", null, ["a"]]],
  ["either", rules.either(rules.boolean, rules.oneOf("auto")), [true, "auto"], ["yes", 1]],
  ["listOf", rules.listOf("shares", rules.share), [[], [0, 1]], [[2], 1, null, "01"]],
  ["fields", point, [{ x: 1, y: 2, z: 3 }], [{ x: 1 }, { x: 1, y: 91 }, null, 1]],
  ["signal", rules.work.signal, [new AbortController().signal], [{}, true, null]],
  ["network", rules.network.network, [true, false, { hosts: [] }], ["any", [], null]],
])("%s takes what it says and refuses the rest", (_, rule, taken, refused) => {
  expect(taken.filter((value) => !rule.accepts(value))).toEqual([]);
  expect(refused.filter((value) => rule.accepts(value))).toEqual([]);
});
