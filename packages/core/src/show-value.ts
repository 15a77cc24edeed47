/** Values in messages. */

/** Longest text of a value in a message. */
const LONGEST = 80;

/** A value as code writes it, strings in quotes; a long one is cut, and ends in dots. */
export function showValue(value: unknown): string {
  // JSON has no words for NaN, bigints and undefined.
  const written = typeof value === "number" || typeof value === "bigint" ? String(value) : (JSON.stringify(value) ?? String(value));
  if (written.length <= LONGEST) return written;
  return `${written.slice(0, LONGEST - 3).replace(/[\s,]+$/, "")}...`;
}
