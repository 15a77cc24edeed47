/**
 * Labeled_Tiles and MultiLabeled_Tiles: an XML a chip like PASCAL VOC's whose name is the class of the whole chip: its value, or
 * for several classes their names with commas between.
 */

import { GeoLearnError } from "@geolearn/core";

import type { LabelledChip, WrittenLabels } from "./label-file.ts";
import { annotation, readPascalVoc, writePascalVoc } from "./pascal-voc.ts";

/** The XML of a chip of one class. */
export function writeLabeledTile(chip: LabelledChip): WrittenLabels {
  return writePascalVoc(chip);
}

/** The XML of a chip with the classes of all its objects. @throws INVALID_ARGUMENT for a class name with a comma */
export function writeMultiLabeledTile(chip: LabelledChip): WrittenLabels {
  const { stem, width, height, objects, classes } = chip;
  const names = classes.filter(({ value }) => objects.some(({ classValue }) => classValue === value)).map(({ name }) => name);
  const bad = names.find((name) => name.includes(","));
  if (bad !== undefined) {
    throw new GeoLearnError("INVALID_ARGUMENT", `The class "${bad}" has a comma in its name, which parts names in MultiLabeled_Tiles.`, {
      hint: "Give another name with `classes`.",
    });
  }
  const labels = names.length === 0 ? [] : [{ label: names.join(","), box: [0, 0, width, height] as const }];
  return { files: [{ path: `labels/${stem}.xml`, content: annotation(chip, labels) }], objects };
}

/** The classes of a chip: values or names. */
export function readTileClasses(text: string, path: string, several: boolean): string[] {
  const labels = readPascalVoc(text, path).map(({ label }) => label);
  return [
    ...new Set(several ? labels.flatMap((label) => label.split(",").map((part) => part.trim())).filter((part) => part !== "") : labels),
  ];
}
