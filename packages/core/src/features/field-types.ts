/** Types of columns, found from the values that arrive. */

import type { FieldValue } from "./features.ts";

/** What a column holds; `mixed` for values of several types, which are written as text. */
export type FieldType = "boolean" | "integer" | "real" | "text" | "mixed";

/** The type of a column that held `known` and gets one more value; null while it has held nothing but null. */
export function joinFieldTypes(known: FieldType | null, value: FieldValue): FieldType | null {
  if (value === null) return known;
  const type =
    typeof value === "boolean" ? "boolean" : typeof value === "string" ? "text" : Number.isSafeInteger(value) ? "integer" : "real";
  if (known === null || known === type) return type;
  if ((known === "integer" && type === "real") || (known === "real" && type === "integer")) return "real";
  return "mixed";
}
