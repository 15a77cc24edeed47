/** Checks of the fields networks are made from. */

import { checkOptionNames, GeoLearnError, type OptionNames, showValue } from "@geolearn/core";

import type { BandNormalization } from "./normalization.ts";

/** Limits that keep a config from a stranger's file from asking for absurd amounts of memory. */
const MAX_BANDS = 4096;
const MAX_CLASSES = 4096;

const NORMALIZATION: OptionNames<BandNormalization> = { mean: true, std: true };

/** Checks of fields of one architecture. Each gives the value back, or throws INVALID_ARGUMENT that names the field, what was given and what is expected. */
export interface Fields {
  readonly whole: (field: string, value: unknown, from: number, to: number) => number;
  readonly oneOf: <T extends string>(field: string, value: T, known: readonly T[]) => T;
  /** A list of `count` numbers above 0, at most `most`. */
  readonly positives: (field: string, value: unknown, count: readonly [from: number, to: number], most: number) => readonly number[];
  /** Refuses what is no object, and names in it that nothing reads. */
  readonly named: <T extends object>(field: string, value: T, known: OptionNames<T>) => void;
  readonly bandsOf: (value: unknown) => number;
  readonly classesOf: (value: unknown) => number;
  /** A share of values dropped in training: from 0 to below 1. */
  readonly dropoutOf: (value: unknown) => number;
  readonly normalizationOf: (value: BandNormalization | null | undefined, bands: number) => BandNormalization | null;
  /** The error for a field. */
  readonly wrong: (field: string, value: unknown, expected: string) => GeoLearnError;
}

/** Checks whose messages begin with the architecture's name. */
export function fieldsOf(architecture: string): Fields {
  const wrong = (field: string, value: unknown, expected: string): GeoLearnError => {
    return new GeoLearnError("INVALID_ARGUMENT", `${architecture} got ${field} ${showValue(value)}, expected ${expected}.`, {
      hint: `Change ${field} in the network's configuration.`,
      data: { field },
    });
  };
  const whole = (field: string, value: unknown, from: number, to: number): number => {
    if (typeof value !== "number" || !Number.isInteger(value) || value < from || value > to)
      throw wrong(field, value, `a whole number from ${from} to ${to}`);
    return value;
  };
  const named = <T extends object>(field: string, value: T, known: OptionNames<T>): void => {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw wrong(field, value, `an object with some of ${Object.keys(known).join(", ")}`);
    checkOptionNames(value, known, `\`${field}\` of ${architecture}`);
  };
  return {
    wrong,
    whole,
    oneOf(field, value, known) {
      if (!known.includes(value)) throw wrong(field, value, known.map((word) => `"${word}"`).join(" or "));
      return value;
    },
    positives(field, value, [from, to], most) {
      const sound = (v: unknown): boolean => typeof v === "number" && v > 0 && v <= most;
      if (!Array.isArray(value) || value.length < from || value.length > to || !value.every(sound))
        throw wrong(field, value, `${from === to ? from : `${from} to ${to}`} numbers above 0, at most ${most}`);
      return [...value] as number[];
    },
    named,
    bandsOf: (value) => whole("bands", value, 1, MAX_BANDS),
    classesOf: (value) => whole("classes", value, 1, MAX_CLASSES),
    dropoutOf(value) {
      if (typeof value !== "number" || !(value >= 0 && value < 1)) throw wrong("dropout", value, "a number from 0 to below 1");
      return value;
    },
    normalizationOf(given, bands) {
      if (given === null || given === undefined) return null;
      named<BandNormalization>("normalization", given, NORMALIZATION);
      for (const [field, values] of Object.entries({ mean: given.mean, std: given.std })) {
        if (!Array.isArray(values) || values.length !== bands || !values.every((v) => Number.isFinite(v) && (field === "mean" || v >= 0))) {
          throw wrong(`normalization.${field}`, values, `${bands} finite numbers, one per band${field === "std" ? ", none negative" : ""}`);
        }
      }
      return { mean: [...given.mean], std: [...given.std] };
    },
  };
}
