/** From what label files call a class, its value or its name, to class values. */

import { createHash } from "node:crypto";

import { type ClassDefinition, GeoLearnError } from "@geolearn/core";

import { checkClassValue, defaultColor } from "../esri/model-definition.ts";

/** Classes, and the value of every text that occurs in the labels. */
export interface LabelNames {
  readonly classes: readonly ClassDefinition[];
  readonly valueOf: ReadonlyMap<string, number>;
}

/** Tells one assignment of values from another: names nobody declared change theirs when a new one comes before them. */
export function namesIdentity({ valueOf }: LabelNames): string {
  return createHash("sha256")
    .update(JSON.stringify([...valueOf].sort(([a], [b]) => (a < b ? -1 : 1))))
    .digest("hex")
    .slice(0, 16);
}

/**
 * Reads class texts. An integer is a value, unless a declared class bears it as its name; other texts are names. Names nobody
 * declared get the values 1, 2... in alphabetical order when nothing at all is declared.
 *
 * @throws CLASS_UNKNOWN for a name outside the declared classes, INVALID_ARGUMENT for a value labels cannot hold
 */
export function labelNames(texts: Iterable<string>, declared: readonly ClassDefinition[], source: string): LabelNames {
  const distinct = [...new Set(texts)].sort((a, b) => (a < b ? -1 : 1));
  const byName = new Map(declared.map(({ name, value }) => [name, value]));
  const numeric = distinct.every((text) => INTEGER.test(text));
  const valueOf = new Map<string, number>();
  for (const [index, text] of distinct.entries()) {
    const named = byName.get(text);
    if (named !== undefined) valueOf.set(text, named);
    else if (INTEGER.test(text) && (numeric || declared.length > 0)) valueOf.set(text, Number(text));
    else if (declared.length === 0) valueOf.set(text, index + 1);
    else throw unknownName(text, declared, source);
  }
  for (const value of valueOf.values()) checkClassValue(value, source);
  if (declared.length > 0) return { classes: declared, valueOf };
  const classes = [...valueOf]
    .map(([name, value], index) => ({ name, value, color: defaultColor(value, index) }))
    .sort((a, b) => a.value - b.value);
  return { classes, valueOf };
}

const INTEGER = /^[+-]?\d+$/;

function unknownName(text: string, declared: readonly ClassDefinition[], source: string): GeoLearnError {
  const known = declared.map(({ name }) => name).slice(0, 12);
  return new GeoLearnError("CLASS_UNKNOWN", `${source}: the labels name the class "${text}"; the class list has ${known.join(", ")}.`, {
    hint: "Add the class to esri_model_definition.emd, or correct the label files.",
    data: { class: text },
  });
}
