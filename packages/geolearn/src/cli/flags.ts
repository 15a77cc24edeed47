/**
 * Options of the functions as the command line writes them. Messages and hints name options as code does, in backticks:
 * `cellSize`, or `cellSize: "model"` with a value; here they become `--cell-size` and `--cell-size model`.
 */

import type { OnnxSpec } from "@geolearn/models";
import type { Option } from "commander";
import { kebabCase } from "./options.ts";

/** Options whose flag has another name. */
const RENAMED: Readonly<Record<string, string>> = { pretrained: "pretrainedModel" };

/** What stands in the file of `--spec`, where a command has one. */
const IN_SPEC: Readonly<Record<keyof OnnxSpec, true>> = {
  task: true,
  name: true,
  classes: true,
  bands: true,
  bandNames: true,
  sampleType: true,
  chipSize: true,
  cellSize: true,
  input: true,
  layout: true,
  normalization: true,
  output: true,
  outputLayout: true,
  activation: true,
  multiLabel: true,
  thresholds: true,
  margin: true,
  stride: true,
  boxes: true,
  scores: true,
  labels: true,
  masks: true,
  boxOrder: true,
  boxUnit: true,
};

/** A span in backticks that is an option, with or without a value. */
const OPTION = /`([a-z][A-Za-z0-9]*)(?:: ([^`]+))?`/g;

/** Whose options they are: a command has its own name. */
const FUNCTION = /^\w+\(\): /;

/** What only those who write code can do, after what the command line can. */
const IN_CODE = /, in TypeScript `[^`]*`/g;

/**
 * The text with options in backticks as flags of a command, without the name of the function and the other way there is in TypeScript. An option the command does not have is said to be one of TypeScript
 * alone, or one in the file of `--spec`.
 *
 * @example
 * withFlags('Use `cellSize: "model"`.', command.options); // "Use --cell-size model."
 */
export function withFlags(text: string, options: readonly Option[]): string {
  return text
    .replace(FUNCTION, "")
    .replace(IN_CODE, "")
    .replace(OPTION, (_, name: string, value: string | undefined) => {
      const own = options.filter((option) => option.attributeName() === (RENAMED[name] ?? name));
      const [option] = own;
      if (option === undefined) {
        const inSpec = Object.hasOwn(IN_SPEC, name) && options.some(({ long }) => long === "--spec");
        return `${name}${value === undefined ? "" : `: ${value}`} (in ${inSpec ? "the file of --spec" : "TypeScript only"})`;
      }
      if (value === "false") return own.find(({ negate }) => negate)?.long ?? `no ${option.long}`;
      const flag = own.find(({ negate }) => !negate) ?? option;
      return value === undefined || value === "true" ? flag.long! : `${flag.long} ${argument(value, flag)}`;
    });
}

/** A literal of TypeScript as an argument in a shell: `[0, 1]` as `0,1`, `{ 3: "water" }` as `3=water`. */
function argument(literal: string, { argChoices }: Option): string {
  const text = words(literal);
  const choice = argChoices?.find((each) => each === kebabCase(text)) ?? text;
  return /^[\w.,:=/@%+-]+$/.test(choice) ? choice : `"${choice}"`;
}

function words(literal: string): string {
  let value: unknown;
  try {
    value = JSON.parse(literal.replace(/([{,]\s*)(\w+):/g, '$1"$2":'));
  } catch {
    return literal; // a word that stands for a value
  }
  if (Array.isArray(value)) return value.join(",");
  if (typeof value !== "object" || value === null) return String(value);
  return Object.entries(value)
    .map(([from, to]) => `${from}=${String(to)}`)
    .join(",");
}
