/** Names of options, checked while a program runs: tsx and JavaScript check no types, and a misspelt option would be ignored. */

import { GeoLearnError } from "../errors.ts";
import { showValue } from "../show-value.ts";

/** Every name of some options. The compiler keeps it complete: an option that is added must be listed. */
export type OptionNames<T extends object> = Readonly<Record<keyof T, true>>;

/** Letters that may differ between a name and the one that was meant. */
const MOST_EDITS = 2;

/**
 * Refuses options that are no object, and names that nothing reads.
 *
 * @param where whose options they are, for the message: `"prepareData()"`
 * @param expected what is to be given when there are no options, a sentence
 * @throws INVALID_ARGUMENT
 * @example
 * checkOptionNames(options, { from: true, to: true }, "lrFind()"); // { form: 1 }: lrFind() has no option `form`. Did you mean `from`?
 */
export function checkOptionNames<T extends object>(given: T, known: OptionNames<T>, where: string, expected?: string): void {
  const names = Object.keys(known);
  if (!isObject(given)) {
    throw new GeoLearnError("INVALID_ARGUMENT", `${where} got ${showValue(given)} for options; expected an object.`, {
      hint: expected ?? `Leave the options out, or give an object with some of ${quoted(names)}.`,
    });
  }
  const field = Object.keys(given).find((name) => !Object.hasOwn(known, name));
  if (field === undefined) return;
  const nearest = nearestName(field, names);
  throw new GeoLearnError("INVALID_ARGUMENT", `${where} has no option \`${field}\`.`, {
    hint: nearest === null ? `It has ${quoted(names)}.` : `Did you mean \`${nearest}\`?`,
    data: { field },
  });
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `\`${name}\``).join(", ");
}

/** The name with the fewest other letters, whatever the case, `_` and `-`; null when none is like it: one letter may differ of so many, two at most. */
export function nearestName(name: string, known: readonly string[], lettersAnEdit = 3): string | null {
  const plain = (text: string): string => text.replace(/[_-]/g, "").toLowerCase();
  const given = plain(name);
  let least = Math.min(MOST_EDITS, Math.floor(given.length / lettersAnEdit)) + 1;
  let nearest: string | null = null;
  for (const candidate of known) {
    const edits = editDistance(given, plain(candidate));
    if (edits < least) [least, nearest] = [edits, candidate];
  }
  return nearest;
}

/**
 * Letters to put in, leave out, replace, or swap with the next: the distance of Damerau and Levenshtein (optimal string alignment).
 *
 * Written here, because the kept libraries (leven, fastest-levenshtein) count swapped letters twice: a limit that lets `form` mean `from` would then
 * let `test` mean `task`.
 */
function editDistance(from: string, to: string): number {
  let before: number[] = [];
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1] ? before[j - 2]! + 1 : Infinity;
      next.push(Math.min(replaced, swapped, row[j]! + 1, next[j - 1]! + 1));
    }
    [before, row] = [row, next];
  }
  return row[to.length]!;
}
