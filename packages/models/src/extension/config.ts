/** Settings of a user's network: what is its own, and what the data decide. */

import { GeoLearnError, showValue } from "@geolearn/core";

import type { BandNormalization } from "../network/normalization.ts";
import type { AnyModelExtension, ModelShape } from "./extension.ts";

/** A configuration as model packages keep it, taken apart. */
export interface ExtensionConfig extends ModelShape {
  readonly normalization: BandNormalization | null;
  /** The model's own settings, complete. */
  readonly own: Readonly<Record<string, unknown>>;
}

/**
 * Takes a configuration apart and completes the model's own settings.
 *
 * @throws INVALID_ARGUMENT for numbers that make no network, and what the model's `resolve` throws; MODEL_INVALID for settings that are no plain JSON
 */
export function resolveExtension(extension: AnyModelExtension, config: Readonly<Record<string, unknown>>): ExtensionConfig {
  const { bands, classes, normalization = null, ...given } = config;
  const shape = { bands: whole(extension, "bands", bands), classes: whole(extension, "classes", classes) };
  const own = extension.resolve === undefined ? given : (extension.resolve(given, shape) as Record<string, unknown>);
  checkOwn(extension, own);
  return { ...shape, normalization: normalizationOf(extension, normalization, shape.bands), own };
}

/** The same as one object, for model packages. */
export function joinedConfig({ own, bands, classes, normalization }: ExtensionConfig): Readonly<Record<string, unknown>> {
  return { ...own, bands, classes, normalization };
}

const RESERVED = ["bands", "classes", "normalization"];

function checkOwn({ modelType }: AnyModelExtension, own: unknown): void {
  const invalid = (what: string, hint: string): GeoLearnError =>
    new GeoLearnError("MODEL_INVALID", `The settings of the model "${modelType}" ${what}.`, { hint, data: { modelType } });
  if (typeof own !== "object" || own === null || Array.isArray(own)) throw invalid("are no object", "Let `resolve` return an object.");
  const field = notJson(own, "");
  if (field !== null) {
    throw invalid(
      `are no plain JSON at "${field}"`,
      "Use numbers that are finite, text, true, false, null, lists and objects: they are written into model packages.",
    );
  }
  const taken = RESERVED.find((name) => Object.hasOwn(own, name));
  if (taken !== undefined) throw invalid(`have a field "${taken}", which geolearn keeps beside them`, "Give it another name.");
}

/** Where a value is no plain JSON; null when it is. */
function notJson(value: unknown, at: string): string | null {
  if (value === null || typeof value === "string" || typeof value === "boolean") return null;
  if (typeof value === "number") return Number.isFinite(value) ? null : at;
  if (typeof value !== "object") return at;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (!Array.isArray(value) && prototype !== Object.prototype && prototype !== null) return at;
  for (const [key, inner] of Object.entries(value)) {
    const found = notJson(inner, at === "" ? key : `${at}.${key}`);
    if (found !== null) return found;
  }
  return null;
}

const MOST = 4096;

function whole({ modelType }: AnyModelExtension, field: string, value: unknown): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= MOST) return value;
  throw wrong(modelType, field, value, `a whole number from 1 to ${MOST}`);
}

function normalizationOf({ modelType }: AnyModelExtension, given: unknown, bands: number): BandNormalization | null {
  if (given === null) return null;
  const { mean, std, ...others } = given as Partial<BandNormalization>;
  const sound = (values: unknown, least: number): values is number[] =>
    Array.isArray(values) && values.length === bands && values.every((v) => Number.isFinite(v) && v >= least);
  if (sound(mean, -Infinity) && sound(std, 0) && Object.keys(others).length === 0) return { mean: [...mean], std: [...std] };
  throw wrong(modelType, "normalization", given, `mean and std with ${bands} finite numbers each, no std negative`);
}

function wrong(modelType: string, field: string, value: unknown, expected: string): GeoLearnError {
  return new GeoLearnError("INVALID_ARGUMENT", `The ${modelType} network got ${field} ${showValue(value)}, expected ${expected}.`, {
    hint: `Change ${field} in the network's configuration.`,
    data: { field },
  });
}
