/** From the values in label files to class indices: names, merged and ignored classes, values nobody declared. */

import { type ClassDefinition, GeoLearnError, type OnWarning, showValue, wrongOption } from "@geolearn/core";

import { BACKGROUND_COLOR } from "../esri/palette.ts";
import { defaultColor, MAX_CLASS_VALUE } from "../esri/model-definition.ts";
import { IGNORE_INDEX } from "../learning-data.ts";
import { IGNORE_VALUE } from "./chip.ts";

/** Names for class values, `{ 1: "building", 2: "building" }`; values that share a name become one class under the lowest of them. */
export type ClassMapping = Readonly<Record<number, string>>;

/** What labels are counted in. */
export type LabelUnit = "pixels" | "objects" | "chips";

/** What decides the classes of a data set. */
export interface ClassTableOptions {
  /** Classes the files declare. */
  readonly declared: readonly ClassDefinition[];
  /** Pixels, objects or chips per value that occur in the labels. */
  readonly present: ReadonlyMap<number, number>;
  /** What was counted. @defaultValue "pixels" */
  readonly unit?: LabelUnit;
  /** Whether value 0 is the ground between the labels, even if nothing declares it. @defaultValue true */
  readonly background?: boolean;
  /** Fewest classes that can be learnt. @defaultValue 2 */
  readonly fewest?: number;
  readonly mapping?: ClassMapping | undefined;
  /** Names or values that are read as ignored. */
  readonly ignore?: readonly (string | number)[] | undefined;
  /** Where the labels come from, for messages. */
  readonly source: string;
  /** Whether they come from the files of a chip folder, not from a raster and its labels. @defaultValue false */
  readonly fromFolder?: boolean;
  readonly onWarning?: OnWarning | undefined;
}

/** Classes in index order and how label values become indices. */
export interface ClassTable {
  readonly classes: readonly ClassDefinition[];
  readonly ignored: readonly string[];
  /** Index or {@link IGNORE_INDEX} for each of the 65536 label values. */
  readonly indexOf: Int32Array;
}

/**
 * The class table of a data set.
 *
 * @throws CLASS_UNKNOWN for a value in the labels that nothing declares and for an unknown ignored class; LABELS_EMPTY when
 *   nothing but background is left or fewer than two classes can be told apart
 */
export function buildClassTable(options: ClassTableOptions): ClassTable {
  const { present, mapping = {}, source, unit = "pixels", background = true, fewest = 2 } = options;
  const byValue = new Map(options.declared.map((entry) => [entry.value, entry]));
  if (background && present.has(0) && !byValue.has(0)) byValue.set(0, { value: 0, name: "background", color: BACKGROUND_COLOR });
  for (const [key, name] of Object.entries(mapping)) {
    const value = Number(key);
    byValue.set(value, { value, name, color: byValue.get(value)?.color ?? defaultColor(value, byValue.size) });
  }

  const ignoredValues = resolveIgnored(options.ignore ?? [], byValue, present);
  const unknown = [...present.keys()].filter((value) => !byValue.has(value) && !ignoredValues.has(value)).sort((a, b) => a - b);
  if (unknown.length > 0) throw unknownClasses(unknown, present, byValue, source, unit);
  if (![...present.keys()].some((value) => value !== 0 || !background)) throw emptyLabels(source, unit, options.fromFolder ?? false);

  const ordered = [...byValue.values()].filter(({ value }) => !ignoredValues.has(value)).sort((a, b) => a.value - b.value);
  const classes: ClassDefinition[] = [];
  const indexOf = new Int32Array(IGNORE_VALUE + 1).fill(IGNORE_INDEX);
  for (const entry of ordered) {
    const same = classes.findIndex(({ name }) => name === entry.name);
    indexOf[entry.value] = same >= 0 ? same : classes.push(entry) - 1;
  }
  if (classes.length < fewest) {
    throw new GeoLearnError("LABELS_EMPTY", `${source}: only ${classes.length} class is left to learn; expected at least ${fewest}.`, {
      hint: background ? "Do not ignore the background, or label a second class." : "Ignore fewer classes, or label another one.",
      data: { classes: classes.map(({ name }) => name) },
    });
  }
  const absent = classes.filter((_, index) => ![...present.keys()].some((value) => indexOf[value] === index));
  if (absent.length > 0) {
    options.onWarning?.({
      code: `CLASS_WITHOUT_${unit.toUpperCase()}`,
      message: `${source}: no ${SINGULAR[unit]} is labelled ${absent.map(({ name, value }) => `${name} (${value})`).join(", ")}.`,
      hint: "The network cannot learn these classes; label some, or leave them out of the class list.",
    });
  }
  return { classes, ignored: [...ignoredValues].sort((a, b) => a - b).map((value) => byValue.get(value)?.name ?? String(value)), indexOf };
}

/**
 * Refuses what gives no names to values, such as `{ building: 1 }`.
 *
 * @param declared classes of the chips, which may tell the values of names
 * @throws INVALID_ARGUMENT
 */
export function checkClassMapping(mapping: ClassMapping, declared: readonly ClassDefinition[]): void {
  const given: unknown = mapping;
  const entries =
    typeof given === "object" && given !== null ? Object.entries(given as Readonly<Record<string, unknown>>) : [["", given] as const];
  if (entries.every(([key, name]) => isClassValue(key) && typeof name === "string" && name !== "")) return;
  const meant = entries.map(([key, name]) => meantName(key, name, declared));
  const known = declared.length === 0 ? "" : ` The classes are ${listClasses(new Map(declared.map((entry) => [entry.value, entry])))}.`;
  throw wrongOption("prepareData()", "classMapping", given, {
    expected: "a name for each class value",
    hint: meant.includes(null)
      ? `Write values and their names: \`classMapping: { 1: "building" }\`.${known}`
      : `Write \`classMapping: { ${meant.join(", ")} }\`: the value, then its name.`,
  });
}

/** The entry as it must have been meant: a value and its name in turn, or another name for a class; null where that cannot be told. */
function meantName(key: string, name: unknown, declared: readonly ClassDefinition[]): string | null {
  const written = (value: unknown, own: unknown): string => `${String(value)}: ${JSON.stringify(own)}`;
  if (isClassValue(key)) return typeof name === "string" && name !== "" ? written(key, name) : null;
  if (key !== "" && isClassValue(String(name))) return written(name, key);
  const same = declared.find((entry) => entry.name === key);
  return same !== undefined && typeof name === "string" && name !== "" ? written(same.value, name) : null;
}

function isClassValue(text: string): boolean {
  return /^\d+$/.test(text) && Number(text) <= MAX_CLASS_VALUE;
}

function resolveIgnored(
  wanted: readonly (string | number)[],
  byValue: ReadonlyMap<number, ClassDefinition>,
  present: ReadonlyMap<number, number>,
): Set<number> {
  const ignored = new Set<number>();
  for (const item of wanted) {
    const matches = [...byValue.values()].filter(({ value, name }) => name === item || value === item).map(({ value }) => value);
    if (matches.length === 0) {
      const asNumber = typeof item === "number" ? item : /^\d+$/.test(item) ? Number(item) : Number.NaN;
      if (byValue.has(asNumber) || present.has(asNumber)) matches.push(asNumber);
    }
    if (matches.length === 0) {
      throw new GeoLearnError("CLASS_UNKNOWN", `\`ignoreClasses\` names ${showValue(item)}; the classes are ${listClasses(byValue)}.`, {
        hint: "Give a class name or value of the labels.",
        data: { class: item },
      });
    }
    for (const value of matches) ignored.add(value);
  }
  return ignored;
}

function unknownClasses(
  unknown: readonly number[],
  present: ReadonlyMap<number, number>,
  byValue: ReadonlyMap<number, ClassDefinition>,
  source: string,
  unit: LabelUnit,
): GeoLearnError {
  const shown = unknown.slice(0, 8).map((value) => `${value} (${present.get(value)} ${unit})`);
  return new GeoLearnError(
    "CLASS_UNKNOWN",
    `${source}: the labels hold ${shown.join(", ")}${unknown.length > 8 ? ` and ${unknown.length - 8} more` : ""}; the class list has ${listClasses(byValue)}.`,
    {
      hint: `Name the values, for example \`classMapping: { ${unknown[0]}: "name" }\`, or leave them out with \`ignoreClasses: [${unknown[0]}]\`.`,
      data: { values: unknown },
    },
  );
}

const SINGULAR: Readonly<Record<LabelUnit, string>> = { pixels: "pixel", objects: "object", chips: "chip" };

function emptyLabels(source: string, unit: LabelUnit, fromFolder: boolean): GeoLearnError {
  const what = unit === "pixels" ? "no pixel of the chips carries a class other than background" : "the chips hold no labelled object";
  return new GeoLearnError("LABELS_EMPTY", `${source}: ${what}.`, {
    hint: fromFolder
      ? "Look into the label files of the chips; `geolearn info FOLDER` counts what they hold."
      : "Check that the labels lie on the raster: `geolearn check --raster ... --labels ...`.",
  });
}

function listClasses(byValue: ReadonlyMap<number, ClassDefinition>): string {
  const all = [...byValue.values()].map(({ value, name }) => `${value} ${name}`);
  if (all.length === 0) return "no class";
  return all.length > 12 ? `${all.slice(0, 12).join(", ")} and ${all.length - 12} more` : all.join(", ");
}
