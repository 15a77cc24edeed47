/**
 * RCNN_Masks: below `labels/` a folder per class value, in it a raster per chip whose pixels number the objects of the class from
 * 1; 0 is none of them. A chip has files for the classes it shows; one without objects has an empty one for the first class.
 */

import { encodeGeoTiff, rasterize } from "@geolearn/core";

import { corruptChips } from "../esri/common.ts";
import type { Samples } from "@geolearn/core";
import type { ChipObject } from "../objects/chip-object.ts";
import { maskBox, maskFromPixels } from "../objects/object-mask.ts";
import type { LabelFile, LabelledChip, WrittenLabels } from "./label-file.ts";

/** The mask of a class in a chip, with forward slashes. */
export function maskPath(classValue: number, stem: string): string {
  return `labels/${classValue}/${stem}.tif`;
}

/** The masks of a chip. Objects that hold the centre of no pixel, or lie under later ones, are in none. */
export async function writeRcnnMasks(chip: LabelledChip): Promise<WrittenLabels> {
  const { stem, width, height, transform, allTouched } = chip;
  const values = chip.classes.map(({ value }) => value);
  const present = values.filter((value) => chip.objects.some(({ classValue }) => classValue === value));
  const files: LabelFile[] = [];
  const written: WrittenLabels["objects"][number][] = [];
  for (const value of present) {
    const own = chip.objects.filter(({ classValue }) => classValue === value);
    const shapes = own.map(({ geometry }, i) => ({ geometry, value: i + 1 }));
    const burnt = rasterize(shapes, { width, height, transform: transform!, allTouched, out: new Uint16Array(width * height) });
    const { ids, seen } = renumber(burnt, own.length);
    if (seen.length === 0) continue;
    written.push(...seen.map((i) => own[i]!));
    files.push({ path: maskPath(value, stem), content: await encodeMask(ids, chip) });
  }
  if (files.length === 0) {
    files.push({ path: maskPath(values[0]!, stem), content: await encodeMask(new Uint8Array(width * height), chip) });
  }
  return { files, objects: written };
}

/** Numbers the objects that are to be seen from 1, in the smallest type that holds them. */
function renumber(burnt: Uint16Array, count: number): { ids: Uint8Array | Uint16Array; seen: number[] } {
  const numberOf = new Uint16Array(count + 1);
  for (const value of burnt) numberOf[value] = 1;
  const seen: number[] = [];
  for (let i = 1; i <= count; i++) if (numberOf[i] === 1) numberOf[i] = seen.push(i - 1);
  numberOf[0] = 0;
  const ids = seen.length <= 255 ? new Uint8Array(burnt.length) : new Uint16Array(burnt.length);
  for (let i = 0; i < burnt.length; i++) ids[i] = numberOf[burnt[i]!]!;
  return { ids, seen };
}

async function encodeMask(
  ids: Uint8Array | Uint16Array,
  { width, height, transform, crs, compression }: LabelledChip,
): Promise<Uint8Array> {
  const sampleType = ids instanceof Uint8Array ? "uint8" : "uint16";
  return encodeGeoTiff({ data: ids, bands: 1, width, height }, { sampleType, transform, crs, nodata: null, compression, predictor: false });
}

/** The objects of a mask, in the order of their numbers. @throws CHIPS_CORRUPT for pixels that are no numbers of objects */
export function readMask(ids: Samples, width: number, classValue: number, path: string): ChipObject[] {
  const pixels = new Map<number, number[]>();
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i]!;
    if (id === 0) continue;
    if (!(id > 0 && Number.isInteger(id)))
      throw corruptChips(path, `the pixel ${i % width}, ${Math.floor(i / width)} is ${id}; expected numbers of objects`);
    const own = pixels.get(id);
    if (own === undefined) pixels.set(id, [i]);
    else own.push(i);
  }
  return [...pixels]
    .sort(([a], [b]) => a - b)
    .map(([, own]) => {
      const mask = maskFromPixels(own, width);
      return { classValue, box: maskBox(mask), mask };
    });
}
