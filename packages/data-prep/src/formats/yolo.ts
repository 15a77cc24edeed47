/**
 * YOLO: a text a chip, a row an object: the position of its class, and a box (middle, width, height) or an outline, both as shares of
 * the image. `data.yaml` names the classes.
 */

import { join } from "node:path";

import { type ClassDefinition, showValue, writeAtomic } from "@geolearn/core";
import { parse } from "yaml";

import { corruptChips } from "../esri/common.ts";
import { isObject, numberOrNull } from "../esri/json.ts";
import type { MapRow } from "../esri/map-file.ts";
import { defaultColor } from "../esri/model-definition.ts";
import { type Box, boxAround } from "../objects/box.ts";
import type { Point, Ring } from "../objects/clip-polygon.ts";
import type { CutObject } from "../objects/cut-object.ts";
import type { LabelledChip, WrittenLabels } from "./label-file.ts";
import type { ReadBox } from "./read-box.ts";

/** Names that file may have. */
export const YOLO_FILES: readonly string[] = ["data.yaml", "data.yml", "dataset.yaml"];

/** Rows with boxes. */
export function writeYolo(chip: LabelledChip): WrittenLabels {
  return write(chip, ({ box: [xmin, ymin, xmax, ymax] }) => [(xmin + xmax) / 2, (ymin + ymax) / 2, xmax - xmin, ymax - ymin]);
}

/** Rows with outlines. Parts and holes of one object are joined by lines there and back, since a row holds one ring. */
export function writeYoloPolygons(chip: LabelledChip): WrittenLabels {
  return write(chip, ({ rings }) => joined(rings).flat());
}

/** `numbers` alternate between x and y, in pixels. */
function write({ stem, width, height, classes, objects }: LabelledChip, numbers: (object: CutObject) => readonly number[]): WrittenLabels {
  const rows = objects.map((object) => {
    const index = classes.findIndex(({ value }) => value === object.classValue);
    const shares = numbers(object).map((side, i) => (side / (i % 2 === 0 ? width : height)).toFixed(DIGITS));
    return `${[index, ...shares].join(" ")}\n`;
  });
  return { files: [{ path: `labels/${stem}.txt`, content: rows.join("") }], objects };
}

/** A hundredth of a pixel in the largest chips. */
const DIGITS = 7;

function joined(rings: readonly Ring[]): Ring {
  const [first, ...others] = rings;
  if (others.length === 0) return first!;
  const home = first![0]!;
  return [...first!, ...others.flatMap((ring): Point[] => [home, ...ring, ring[0]!]), home];
}

/** Writes `data.yaml`. */
export async function finishYolo(folder: string, _: readonly MapRow[], classes: readonly ClassDefinition[]): Promise<void> {
  const names = classes.map(({ name }, index) => `  ${index}: ${JSON.stringify(name)}\n`);
  await writeAtomic(join(folder, YOLO_FILES[0]!), `path: .\ntrain: images\nval: images\nnc: ${classes.length}\nnames:\n${names.join("")}`);
}

/** The objects of a text; box and outline are shares of the image. @throws CHIPS_CORRUPT */
export function readYolo(text: string, path: string): ReadBox[] {
  const objects: ReadBox[] = [];
  text.split(/\r\n|\n|\r/).forEach((row, index) => {
    const [label, ...rest] = row.trim().split(/\s+/);
    if (label === undefined || label === "") return;
    const where = `line ${index + 1}`;
    const numbers = rest.map(Number);
    const wrong = numbers.findIndex((value) => !Number.isFinite(value));
    if (wrong >= 0) throw corruptChips(path, `${where} has "${rest[wrong]}" for a number`);
    if (!/^\d+$/.test(label)) throw corruptChips(path, `${where} begins with "${label}"; expected the position of a class`);
    if (numbers.length === 4) {
      const [x, y, width, height] = numbers as [number, number, number, number];
      objects.push({ label, box: [x - width / 2, y - height / 2, x + width / 2, y + height / 2] });
      return;
    }
    if (numbers.length < 6 || numbers.length % 2 === 1) {
      throw corruptChips(path, `${where} has ${numbers.length} numbers; expected four of a box, or pairs of at least three corners`);
    }
    const ring = Array.from({ length: numbers.length / 2 }, (_, i): Point => [numbers[2 * i]!, numbers[2 * i + 1]!]);
    objects.push({ label, box: boxAround([ring]) as Box, rings: [ring] });
  });
  return objects;
}

/** The classes of a `data.yaml`, their positions as values. @throws CHIPS_CORRUPT */
export function readYoloNames(text: string, path: string): ClassDefinition[] {
  let content: unknown;
  try {
    content = parse(text, { maxAliasCount: 0 });
  } catch (error) {
    throw corruptChips(path, `it is no readable YAML: ${(error as Error).message}`);
  }
  const names = isObject(content) ? content["names"] : null;
  const entries: [unknown, unknown][] = Array.isArray(names)
    ? [...(names as unknown[]).entries()]
    : isObject(names)
      ? Object.entries(names)
      : [];
  if (entries.length === 0) throw corruptChips(path, `it lists no "names"`);
  return entries
    .map(([key, name]) => {
      const value = numberOrNull(Number(key));
      if (value === null || !Number.isInteger(value) || value < 0 || !["string", "number"].includes(typeof name)) {
        throw corruptChips(path, `"names" has the entry ${String(key)}: ${showValue(name)}`);
      }
      return { value, name: String(name), color: defaultColor(value + 1, value) };
    })
    .sort((a, b) => a.value - b.value);
}
