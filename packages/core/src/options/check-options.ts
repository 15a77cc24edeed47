/** Options are looked at before any work: their names, and what each of them is. tsx and JavaScript check no types. */

import { GeoLearnError } from "../errors.ts";
import { showValue } from "../show-value.ts";
import { checkOptionNames, nearestName } from "./option-names.ts";

/** What an option may be. */
export interface OptionRule {
  /** For the message, after "expected": `"a number from 0 to 1"`. */
  readonly expected: string;
  /** What to do instead, a sentence. @defaultValue to change it, or leave it out */
  readonly hint?: string;
  /** Words that are accepted, for a hint when one was misspelt. */
  readonly words?: readonly string[];
  /** Whether it must be given. @defaultValue false */
  readonly required?: boolean;
  /** Whether a value is what is expected. */
  readonly accepts: (value: unknown) => boolean;
}

/** A rule for each of some options. The compiler keeps it complete: an option that is added must be listed. */
export type OptionRules<T extends object> = Readonly<Record<keyof T, OptionRule>>;

/**
 * Refuses options that nothing reads, values that an option cannot have, and the lack of those that must be given; `undefined` is as good as left out.
 *
 * @param where whose options they are, for the message: `"classifyPixels()"`
 * @param missing what is to be given when there are no options, a sentence
 * @throws INVALID_ARGUMENT that shows the value and says what was expected
 * @example
 * checkOptions(options, { minScore: rules.share }, "detectObjects()"); // { minScore: 2 }: detectObjects(): `minScore` is 2; expected a number from 0 to 1.
 */
export function checkOptions<T extends object>(given: T, known: OptionRules<T>, where: string, missing?: string): void {
  checkOptionNames<object>(given, known, where, missing);
  for (const [field, rule] of Object.entries<OptionRule>(known)) {
    const value = given[field as keyof T];
    if (value === undefined ? rule.required === true : !rule.accepts(value)) throw wrongOption(where, field, value, rule);
  }
}

/** Words are short, and one may mean another thing than the next: "gpu" is not "cpu". */
const LETTERS_AN_EDIT = 5;

/** The error for an option's value, for what a rule alone cannot tell. */
export function wrongOption(where: string, field: string, value: unknown, rule: Omit<OptionRule, "accepts">): GeoLearnError {
  const meant = typeof value === "string" && rule.words !== undefined ? nearestName(value, rule.words, LETTERS_AN_EDIT) : null;
  const usual = rule.required === true ? `Give \`${field}\`.` : `Change \`${field}\`, or leave it out.`;
  return new GeoLearnError("INVALID_ARGUMENT", `${where}: \`${field}\` is ${showValue(value)}; expected ${rule.expected}.`, {
    hint: meant === null ? (rule.hint ?? usual) : `Did you mean \`${field}: "${meant}"\`?`,
    data: { field, value },
  });
}
