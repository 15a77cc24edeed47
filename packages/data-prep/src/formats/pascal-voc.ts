/**
 * PASCAL VOC: one XML a chip with the box of every object in pixels. Esri writes the class **value** as the name and two decimals;
 * others write class names and whole pixels.
 */

import { XMLParser, XMLValidator } from "fast-xml-parser";

import { corruptChips } from "../esri/common.ts";
import type { Box } from "../objects/box.ts";
import { hundredths, type LabelledChip, type WrittenLabels } from "./label-file.ts";
import { boxOf, type ReadBox } from "./read-box.ts";

/** The XML of a chip. */
export function writePascalVoc(chip: LabelledChip): WrittenLabels {
  const labels = chip.objects.map(({ classValue, box }) => ({ label: String(classValue), box }));
  return { files: [{ path: `labels/${chip.stem}.xml`, content: annotation(chip, labels) }], objects: chip.objects };
}

/** An annotation with labelled boxes. */
export function annotation(
  { imageFile, width, height, bands }: LabelledChip,
  labels: readonly { readonly label: string; readonly box: Box }[],
): string {
  const lines = [
    '<?xml version="1.0"?>',
    "<annotation>",
    `    <filename>${escape(imageFile)}</filename>`,
    "    <source>",
    "        <annotation>geolearn</annotation>",
    "    </source>",
    "    <size>",
    `        <width>${width}</width>`,
    `        <height>${height}</height>`,
    `        <depth>${bands}</depth>`,
    "    </size>",
    ...labels.flatMap(({ label, box }) => objectLines(label, box)),
    "</annotation>",
  ];
  return `${lines.join("\n")}\n`;
}

function objectLines(label: string, box: Box): string[] {
  const [xmin, ymin, xmax, ymax] = box.map(hundredths);
  return [
    "    <object>",
    `        <name>${escape(label)}</name>`,
    "        <bndbox>",
    `            <xmin>${xmin}</xmin>`,
    `            <ymin>${ymin}</ymin>`,
    `            <xmax>${xmax}</xmax>`,
    `            <ymax>${ymax}</ymax>`,
    "        </bndbox>",
    "    </object>",
  ];
}

function escape(text: string): string {
  return text.replace(/[&<>]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[sign]!);
}

const parser = new XMLParser({
  ignoreAttributes: true,
  parseTagValue: false, // a class named 007 or 1e5 stays what it is
  processEntities: false,
  isArray: (name) => name === "object",
});

/** The objects of an annotation. @throws CHIPS_CORRUPT for what is no annotation or a box that is not four numbers */
export function readPascalVoc(text: string, path: string): ReadBox[] {
  if (/<!(DOCTYPE|ENTITY)/i.test(text)) throw corruptChips(path, "it carries a document type, which annotations have no need of");
  const checked = XMLValidator.validate(text);
  if (checked !== true) throw corruptChips(path, `it is no readable XML: ${checked.err.msg} in line ${checked.err.line}`);
  const annotation = (parser.parse(text) as Record<string, unknown>)["annotation"];
  if (annotation === "") return [];
  if (!isNode(annotation)) throw corruptChips(path, "it has no <annotation>");
  const objects = (annotation["object"] ?? []) as unknown[];
  return objects.map((object, index) => {
    const where = `object ${index + 1}`;
    if (!isNode(object)) throw corruptChips(path, `${where} is empty`);
    const box = object["bndbox"];
    if (!isNode(box)) throw corruptChips(path, `${where} has no <bndbox>`);
    const name = object["name"];
    if (typeof name !== "string" || name === "") throw corruptChips(path, `${where} has no <name>`);
    return boxOf(unescape(name), [box["xmin"], box["ymin"], box["xmax"], box["ymax"]], path, where);
  });
}

const ENTITIES: Readonly<Record<string, string>> = { "&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&amp;": "&" };

/** The five entities of XML itself; there are no others. */
function unescape(text: string): string {
  return text.replace(/&(?:lt|gt|quot|apos|amp);/g, (entity) => ENTITIES[entity]!);
}

function isNode(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
