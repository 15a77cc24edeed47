/** Chips with a class per pixel. */

import { GeoLearnError, type OnWarning } from "@geolearn/core";

import type { AssembledBatch } from "../batches/assemble.ts";
import { createAssembler, packImage } from "../batches/assembler.ts";
import { type ChipRecord, countLabels } from "../chips/chip-record.ts";
import type { Chip } from "../chips/chip.ts";
import type { ClassTable } from "../chips/class-table.ts";
import { openChipFolder } from "../chips/folder-source.ts";
import { maskSource } from "../chips/masked-source.ts";
import { openWindowSource } from "../chips/window-source.ts";
import { inverseFrequencyWeights } from "../class-weights.ts";
import type { LearningData } from "../learning-data.ts";
import { drawPixels } from "../pictures/draw-pixels.ts";
import { type DataKind, openData } from "./open-data.ts";
import type { DataSource, PrepareDataOptions } from "./options.ts";
import { openSource } from "./sources.ts";

/** Opens chips for pixel classification. */
export async function preparePixels(
  source: DataSource,
  options: PrepareDataOptions<"pixelClassification">,
): Promise<LearningData<"pixelClassification">> {
  const { common, amounts } = await openData(source, options, PIXELS);
  const data: LearningData<"pixelClassification"> = {
    ...common,
    classPixels: amounts,
    classWeights: () => inverseFrequencyWeights(amounts),
    showBatch: (path, options) => drawPixels(data, path, options),
  };
  return data;
}

const PIXELS: DataKind<Chip, AssembledBatch> = {
  unit: "pixels",
  background: true,
  fewest: 2,
  async open(source, options) {
    const opened = await openSource(source, options, { folder: openChipFolder, windows: openWindowSource });
    if (options.mask === undefined) return opened;
    // with a mask chips hold other labels than their files: nothing measured of them is kept
    return maskSource(opened, options.mask).catch(async (error: unknown) => {
      await opened.close();
      throw error;
    });
  },
  count: countLabels,
  useful: usefulChips,
  assembler: (setup, { indexOf }, workers) =>
    createAssembler<"pixels", Chip>({ ...setup, kind: "pixels", indexOf }, workers, (chip) => ({
      ...packImage(chip),
      labels: chip.labels,
    })),
};

/** Positions of chips with at least one pixel of a class. */
function usefulChips(records: readonly ChipRecord[], { indexOf }: ClassTable, name: string, onWarning: OnWarning | undefined): number[] {
  const useful = records.map((_, i) => i).filter((i) => records[i]!.labels.some(([value]) => indexOf[value]! >= 0));
  const useless = records.length - useful.length;
  if (useless > 0) {
    onWarning?.({
      code: "CHIPS_WITHOUT_CLASS",
      message: `${name}: ${useless} of ${records.length} chips hold nothing but ignored pixels and are left out.`,
    });
  }
  if (useful.length > 0) return useful;
  throw new GeoLearnError("LABELS_EMPTY", `${name}: no chip holds a pixel of a class.`, { hint: "Ignore fewer classes." });
}
