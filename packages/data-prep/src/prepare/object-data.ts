/** Chips with objects: boxes for detection, masks too for instance segmentation. */

import { GeoLearnError } from "@geolearn/core";

import { resolveAugmentation } from "../augment/options.ts";
import type { AssembledObjects } from "../batches/assemble-objects.ts";
import { createAssembler, packImage } from "../batches/assembler.ts";
import type { ObjectChip } from "../chips/chip.ts";
import { openObjectChips } from "../chips/object-folder.ts";
import { openObjectWindows } from "../chips/window-source.ts";
import type { ObjectData, ObjectTask } from "../learning-data.ts";
import { countObjects } from "../objects/chip-object.ts";
import { drawObjects } from "../pictures/draw-objects.ts";
import { type DataKind, openData } from "./open-data.ts";
import type { DataSource, PrepareDataOptions } from "./options.ts";
import { openSource } from "./sources.ts";

/** Opens chips with objects. */
export async function prepareObjects<T extends ObjectTask>(source: DataSource, options: PrepareDataOptions<T>): Promise<ObjectData<T>> {
  const masks = options.task === "instanceSegmentation";
  if (options.mask !== undefined) {
    throw new GeoLearnError("INVALID_ARGUMENT", "`mask` is for pixel classification: labels of objects cannot say what was not surveyed.", {
      hint: "Give `mask` when exporting, or beside `raster` and `labels`: only chips wholly inside are made.",
      data: { field: "mask", value: options.mask },
    });
  }
  const { rotate } = resolveAugmentation(options.augment);
  if (!masks && rotate > 0) {
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      "`augment.rotate` turns boxes by any angle, and the box around a turned box is too large.",
      {
        hint: "Use quarter turns, or export turned copies: `rotation: 30` makes boxes around the turned outlines.",
        data: { field: "rotate", value: rotate },
      },
    );
  }
  const { common, amounts, greatest } = await openData(source, options, objectKind(masks, options.minOverlap ?? 0.3));
  const data: ObjectData<T> = {
    ...common,
    classObjects: amounts,
    mostObjects: greatest,
    showBatch: (path, options) => drawObjects(data, path, options),
  };
  return data;
}

function objectKind(masks: boolean, minOverlap: number): DataKind<ObjectChip, AssembledObjects> {
  return {
    unit: "objects",
    background: false,
    fewest: 1,
    open: (source, options) =>
      openSource(source, options, {
        folder: (folder, own) => openObjectChips(folder, { ...own, masks }),
        windows: (windows, work) => openObjectWindows(windows, { ...work, masks, minOverlap }),
      }),
    count: countObjects,
    // a chip without objects teaches what is none
    useful: (records) => records.map((_, i) => i),
    assembler: (setup, { indexOf }, workers) =>
      createAssembler<"objects", ObjectChip>({ ...setup, kind: "objects", indexOf, minOverlap, masks }, workers, (chip) => ({
        ...packImage(chip),
        objects: chip.objects,
      })),
  };
}
