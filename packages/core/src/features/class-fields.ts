/** Fields of labels that look as if they held classes, for labels that are read without one. */

import type { Warning } from "../progress.ts";
import type { Feature, Features, FieldValue } from "./features.ts";

/** Share of the features that a class field is filled in for, at least. */
const FILLED = 0.9;
/** Share of its commonest value, at most: tags such as `building=yes` hardly divide the features. */
const COMMONEST = 0.95;
const MOST_CLASSES = 50;
const NAMED = 4;

/**
 * The warning `CLASS_FIELD_MISSING` for features that all become one class although they have fields that look like classes: filled in
 * for 90 % of the features, of integers or texts that are no dates, with 2 to 50 values of which some repeat and none stands nearly
 * everywhere. Null without such a field.
 */
export function classFieldWarning({ name, features }: Features): Warning | null {
  const names = new Set<string>(features.flatMap(({ properties }) => Object.keys(properties)));
  const fields = [...names].filter((field) => looksLikeClasses(field, features));
  if (fields.length === 0) return null;
  const more = fields.length > NAMED ? ` and ${fields.length - NAMED} more` : "";
  return {
    code: "CLASS_FIELD_MISSING",
    message: `${name} has ${fields.length === 1 ? "the field" : "fields"} ${fields.slice(0, NAMED).join(", ")}${more}; all features become one class.`,
    hint: `If one of them holds the class, name it: \`classField: "${fields[0]!}"\`.`,
  };
}

function looksLikeClasses(field: string, features: readonly Feature[]): boolean {
  const counts = new Map<string, number>();
  let filled = 0;
  for (const { properties } of features) {
    const value = properties[field] ?? "";
    if (value === "") continue;
    if (!isClassLike(value)) return false;
    const text = String(value);
    counts.set(text, (counts.get(text) ?? 0) + 1);
    if (counts.size > MOST_CLASSES) return false;
    filled++;
  }
  if (counts.size < 2 || counts.size === filled) return false;
  return filled >= FILLED * features.length && Math.max(...counts.values()) <= COMMONEST * filled;
}

const DATE = /^\d{4}-\d\d-\d\d/;

/** Integers, or texts that are neither another number nor a date. */
function isClassLike(value: FieldValue): boolean {
  if (typeof value === "number") return Number.isInteger(value);
  if (typeof value !== "string" || DATE.test(value)) return false;
  const number = Number(value);
  return Number.isNaN(number) || Number.isInteger(number);
}
