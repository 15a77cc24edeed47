/** Which class value each label feature has, and what the classes are called. */

import { basename, extname } from "node:path";

import {
  type ClassDefinition,
  type Feature,
  type Features,
  type FieldValue,
  GeoLearnError,
  type OnWarning,
  showValue,
  classFieldWarning,
} from "@geolearn/core";

import { checkClassValue, defaultColor } from "../esri/model-definition.ts";
import type { ExportOptions } from "./options.ts";

/** The part of {@link ExportOptions} that names classes. */
export type ClassOptions = Pick<ExportOptions, "classField" | "classNameField" | "classes"> & {
  readonly onWarning?: OnWarning | undefined;
};

/** Class values of features. */
export interface LabelClasses {
  readonly classes: readonly ClassDefinition[];
  /** Value per feature in the order of the features; null leaves a feature out. */
  readonly values: readonly (number | null)[];
}

/**
 * Reads the classes of label features.
 *
 * @throws FIELD_MISSING for a class field no feature has, INVALID_ARGUMENT for values that are not integers from 0 to 65534
 */
export function labelClasses(labels: Features, options: ClassOptions): LabelClasses {
  const field = findField(labels, options);
  if (field === null) return oneClass(labels, options);
  const raw = labels.features.map((feature) => feature.properties[field.value] ?? null);
  const present = raw.filter((value) => value !== null && value !== "");
  if (present.length === 0) {
    throw new GeoLearnError("FIELD_MISSING", `No feature of ${labels.name} has a value in the field "${field.value}".`, {
      hint: `Fields with values: ${fieldNames(labels.features).join(", ") || "none"}.`,
      data: { field: field.value },
    });
  }
  if (present.length < raw.length) {
    options.onWarning?.({
      code: "FEATURES_WITHOUT_CLASS",
      message: `${raw.length - present.length} of ${raw.length} features of ${labels.name} have no value in "${field.value}" and are left out.`,
      hint: "Fill in the field, or delete the features.",
    });
  }
  const numeric = present.every((value) => asInteger(value) !== null);
  if (!numeric && present.some((value) => typeof value === "number")) {
    const wrong = present.find((value) => asInteger(value) === null);
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `The class field "${field.value}" of ${labels.name} holds ${showValue(wrong)}; expected integers.`,
      {
        hint: "Use a field of whole numbers or one of names.",
        data: { field: field.value },
      },
    );
  }
  return numeric ? numberedClasses(labels, raw, field, options) : namedClasses(labels, raw, field.value, options);
}

/** Class value of labels without a class field. */
const ONLY_CLASS = 1;

interface ClassField {
  readonly value: string;
  readonly name: string | null;
}

function findField(labels: Features, { classField, classNameField }: ClassOptions): ClassField | null {
  const fields = fieldNames(labels.features);
  for (const wanted of [classField, classNameField]) {
    if (wanted === undefined || fields.includes(wanted)) continue;
    throw new GeoLearnError("FIELD_MISSING", `${labels.name} has no field "${wanted}".`, {
      hint: `Its fields: ${fields.join(", ") || "none"}.`,
      data: { field: wanted, fields },
    });
  }
  if (classField !== undefined) return { value: classField, name: classNameField ?? null };
  const like = (name: string): string | undefined => fields.find((field) => field.toLowerCase() === name);
  const value = like("classvalue") ?? like("value");
  if (value === undefined) return null;
  const allIntegers = labels.features.every(({ properties }) => {
    const own = properties[value] ?? null;
    return own === null || asInteger(own) !== null;
  });
  return allIntegers ? { value, name: classNameField ?? like("classname") ?? null } : null;
}

function numberedClasses(labels: Features, raw: readonly FieldValue[], field: ClassField, options: ClassOptions): LabelClasses {
  const names = new Map<number, string>();
  const values = raw.map((value, i) => {
    const integer = value === null || value === "" ? null : asInteger(value)!;
    if (integer === null) return null;
    checkClassValue(integer, `${labels.name}, field "${field.value}"`);
    if (!names.has(integer)) {
      const name = field.name === null ? null : labels.features[i]!.properties[field.name];
      names.set(integer, name === null || name === undefined || name === "" ? String(integer) : String(name));
    }
    return integer;
  });
  return { classes: define(names, options), values };
}

/** Names in alphabetical order get the values 1, 2, ...; those given in `classes` keep theirs. */
function namedClasses(labels: Features, raw: readonly FieldValue[], field: string, options: ClassOptions): LabelClasses {
  const texts = raw.map((value) => (value === null || value === "" ? null : String(value)));
  const distinct = [...new Set(texts.filter((text) => text !== null))].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  if (distinct.length > 1000) {
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `The field "${field}" of ${labels.name} holds ${distinct.length} different texts; expected class names.`,
      {
        hint: "Choose another `classField`.",
        data: { field },
      },
    );
  }
  const given = new Map((options.classes ?? []).map(({ name, value }) => [name, value]));
  const taken = new Set(given.values());
  const valueOf = new Map<string, number>();
  let next = 1;
  for (const name of distinct) {
    while (taken.has(next)) next++;
    const value = given.get(name) ?? next++;
    valueOf.set(name, value);
  }
  const names = new Map([...valueOf].map(([name, value]) => [value, name]));
  return { classes: define(names, options), values: texts.map((text) => (text === null ? null : valueOf.get(text)!)) };
}

function oneClass(labels: Features, options: ClassOptions): LabelClasses {
  const given = options.classes?.length === 1 ? options.classes[0]! : null;
  const warning = given === null ? classFieldWarning(labels) : null;
  if (warning !== null) options.onWarning?.(warning);
  const value = given?.value ?? ONLY_CLASS;
  return {
    classes: define(new Map([[value, given?.name ?? singular(labels.name)]]), options),
    values: labels.features.map(() => value),
  };
}

/** Adds names and colours the caller gave. */
function define(names: ReadonlyMap<number, string>, { classes = [] }: ClassOptions): ClassDefinition[] {
  const all = new Map(names);
  for (const { value, name } of classes) {
    checkClassValue(value, "classes");
    all.set(value, name);
  }
  return [...all]
    .sort(([a], [b]) => a - b)
    .map(([value, name], index) => ({
      value,
      name,
      color: classes.find((entry) => entry.value === value)?.color ?? defaultColor(value, index),
    }));
}

/** `data/buildings.geojson` labels the class "building". */
function singular(source: string): string {
  const file = basename(source.replaceAll("\\", "/"));
  const stem = file.slice(0, file.length - extname(file).length) || "label";
  return /[^suio]s$/i.test(stem) ? stem.slice(0, -1) : stem;
}

function fieldNames(features: readonly Feature[]): string[] {
  const names = new Set<string>();
  for (const { properties } of features) for (const [name, value] of Object.entries(properties)) if (value !== null) names.add(name);
  return [...names];
}

function asInteger(value: FieldValue): number | null {
  if (typeof value === "number") return Number.isInteger(value) ? value : null;
  if (typeof value === "string" && /^\s*[+-]?\d+\s*$/.test(value)) return Number(value);
  return null;
}
