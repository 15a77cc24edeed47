/**
 * COCO: `annotations.json` with all images, annotations and categories. An export keeps the annotations of each chip in `labels/` and makes
 * the one file of them at its end, so that it can be stopped and appended to. Outlines are polygons; objects with holes have run lengths,
 * since COCO's polygons know no holes.
 */

import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";

import { type ClassDefinition, openAtomic } from "@geolearn/core";

import { corruptChips } from "../esri/common.ts";
import { isObject, type JsonObject, numberOrNull, stringOrNull } from "../esri/json.ts";
import { insidePath, type MapRow } from "../esri/map-file.ts";
import { checkClassValue, defaultColor } from "../esri/model-definition.ts";
import { type Box, boxAround } from "../objects/box.ts";
import { type Ring, signedArea } from "../objects/clip-polygon.ts";
import type { CutObject } from "../objects/cut-object.ts";
import { burnMask } from "./burn-mask.ts";
import type { LabelledChip, WrittenLabels } from "./label-file.ts";
import type { ReadBox } from "./read-box.ts";
import { decodeRuns, encodeRuns } from "./run-lengths.ts";

/** Name of the file for the whole folder. */
export const COCO_FILE = "annotations.json";

/** The annotations of a chip, without their ids. */
export function writeCoco(chip: LabelledChip): WrittenLabels {
  const annotations = chip.objects.map((object) => annotationOf(object, chip));
  return { files: [{ path: `labels/${chip.stem}.json`, content: `${JSON.stringify(annotations)}\n` }], objects: chip.objects };
}

function annotationOf(object: CutObject, chip: LabelledChip): JsonObject {
  const { classValue, box, rings, area } = object;
  const [xmin, ymin, xmax, ymax] = box.map(rounded);
  const holes = rings.some((ring) => signedArea(ring) < 0);
  return {
    category_id: classValue,
    bbox: [xmin, ymin, rounded(xmax! - xmin!), rounded(ymax! - ymin!)],
    area: rounded(area),
    segmentation: holes
      ? { size: [chip.height, chip.width], counts: encodeRuns(burnMask(object, chip), chip.width) }
      : rings.map((ring) => ring.flatMap(([x, y]) => [rounded(x), rounded(y)])),
    iscrowd: 0,
  };
}

/** Hundredths of a pixel, as in the other formats. */
function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}

/** Makes `annotations.json` of the chips' own files; whole or not at all. */
export async function finishCoco(
  folder: string,
  rows: readonly MapRow[],
  classes: readonly ClassDefinition[],
  { width, height }: { readonly width: number; readonly height: number },
): Promise<void> {
  const file = await openAtomic(join(folder, COCO_FILE));
  let position = 0;
  let text = "";
  const write = async (more: string, least: number): Promise<void> => {
    text += more;
    if (text.length < least) return;
    const bytes = Buffer.from(text);
    await file.write(bytes, position);
    position += bytes.length;
    text = "";
  };
  try {
    await write(`{"info":{"description":"geolearn"},"licenses":[],"images":[`, BUFFER);
    for (const [i, { image }] of rows.entries()) {
      const entry = { id: i + 1, file_name: basename(image), width, height };
      await write(`${i === 0 ? "" : ","}\n${JSON.stringify(entry)}`, BUFFER);
    }
    await write(`],"annotations":[`, BUFFER);
    let id = 0;
    for (const [i, { label }] of rows.entries()) {
      const own = JSON.parse(await readFile(join(folder, label), "utf8")) as JsonObject[];
      for (const annotation of own)
        await write(`${id++ === 0 ? "" : ","}\n${JSON.stringify({ id, image_id: i + 1, ...annotation })}`, BUFFER);
    }
    const categories = classes.map(({ value, name }) => ({ id: value, name, supercategory: "" }));
    await write(`],"categories":${JSON.stringify(categories)}}\n`, 0);
    await file.commit();
  } catch (error) {
    await file.abort();
    throw error;
  }
}

/** Characters written at once. */
const BUFFER = 1 << 20;

/** What a COCO file tells. */
export interface CocoContent {
  readonly classes: readonly ClassDefinition[];
  /** Image files and their objects; class texts are category ids. */
  readonly images: readonly { readonly file: string; readonly boxes: readonly ReadBox[] }[];
  /** Annotations of crowds, which are no single objects and are left out. */
  readonly crowds: number;
}

/** True for JSON with the three lists of a COCO file. */
export function isCoco(json: JsonObject): boolean {
  return ["images", "annotations", "categories"].every((key) => Array.isArray(json[key]));
}

/** @throws CHIPS_CORRUPT for what does not fit together, INVALID_ARGUMENT for a category no label can hold */
export function readCoco(json: JsonObject, path: string): CocoContent {
  const list = (key: string): JsonObject[] => {
    const value = json[key];
    if (!Array.isArray(value) || !value.every(isObject)) throw corruptChips(path, `"${key}" is no list of objects`);
    return value;
  };
  const classes = list("categories").map((entry, index) => {
    const value = numberOrNull(entry["id"]);
    if (value === null) throw corruptChips(path, `category ${index + 1} has no id`);
    checkClassValue(value, path);
    return { value, name: stringOrNull(entry["name"]) ?? String(value), color: defaultColor(value, index) };
  });
  const images = new Map<number, { file: string; boxes: ReadBox[] }>();
  for (const [index, entry] of list("images").entries()) {
    const [id, file] = [numberOrNull(entry["id"]), stringOrNull(entry["file_name"])];
    if (id === null || file === null || images.has(id)) throw corruptChips(path, `image ${index + 1} has no id or name of its own`);
    images.set(id, { file: insidePath(file, path, index + 1), boxes: [] });
  }
  let crowds = 0;
  for (const [index, entry] of list("annotations").entries()) {
    const where = `annotation ${index + 1}`;
    const image = images.get(numberOrNull(entry["image_id"]) ?? Number.NaN);
    if (image === undefined) throw corruptChips(path, `${where} belongs to no image`);
    const category = numberOrNull(entry["category_id"]);
    if (category === null) throw corruptChips(path, `${where} has no category_id`);
    if (entry["iscrowd"] === 1) crowds++;
    else image.boxes.push({ label: String(category), ...shapeOf(entry, path, where) });
  }
  return { classes: classes.sort((a, b) => a.value - b.value), images: [...images.values()], crowds };
}

function shapeOf(entry: JsonObject, path: string, where: string): Pick<ReadBox, "box" | "rings" | "runs"> {
  const bbox = entry["bbox"];
  const segmentation = entry["segmentation"];
  const rings = Array.isArray(segmentation) ? segmentation.map((ring) => ringOf(ring, path, where)) : [];
  const runs = isObject(segmentation) ? runsOf(segmentation, path, where) : undefined;
  const box = bbox === undefined ? boxAround(rings) : boxOfCoco(bbox);
  if (box === null) throw corruptChips(path, `${where} has no bbox of four numbers`);
  return { box, ...(rings.length > 0 ? { rings } : {}), ...(runs === undefined ? {} : { runs }) };
}

function boxOfCoco(bbox: unknown): Box | null {
  if (!Array.isArray(bbox) || bbox.length !== 4) return null;
  const [x, y, width, height] = (bbox as unknown[]).map(numberOrNull);
  return x == null || y == null || width == null || height == null ? null : [x, y, x + width, y + height];
}

function ringOf(ring: unknown, path: string, where: string): Ring {
  const sides = Array.isArray(ring) ? (ring as unknown[]).map(numberOrNull) : [];
  if (sides.length < 6 || sides.length % 2 === 1 || sides.includes(null)) {
    throw corruptChips(path, `${where} has a polygon of ${sides.length} numbers; expected pairs of at least three corners`);
  }
  return Array.from({ length: sides.length / 2 }, (_, i) => [sides[2 * i]!, sides[2 * i + 1]!] as const);
}

function runsOf(segmentation: JsonObject, path: string, where: string): ReadBox["runs"] {
  const size = Array.isArray(segmentation["size"]) ? (segmentation["size"] as unknown[]).map(numberOrNull) : [];
  const [height, width] = size;
  if (height == null || width == null) throw corruptChips(path, `${where} has run lengths without a size`);
  const counts = segmentation["counts"];
  const decoded = typeof counts === "string" ? decodeRuns(counts) : Array.isArray(counts) ? (counts as unknown[]).map(numberOrNull) : [];
  const sound = decoded.every((count) => count !== null && Number.isInteger(count) && count >= 0);
  if (!sound || decoded.reduce((sum: number, count) => sum + count!, 0) !== width * height) {
    throw corruptChips(path, `${where} has run lengths that do not fill ${width} x ${height} pixels`);
  }
  return { counts: decoded as number[], width, height };
}
