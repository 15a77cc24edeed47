/** Chips that as a whole have a class, or several: data for classifying objects and scenes. */

import { type CropManner, GeoLearnError } from "@geolearn/core";

import type { AssembledTiles } from "../batches/assemble-tiles.ts";
import { createAssembler, packImage } from "../batches/assembler.ts";
import type { ChipSource, TileChip } from "../chips/chip.ts";
import { countTiles, openTileChips } from "../chips/tile-folder.ts";
import { inverseFrequencyWeights } from "../class-weights.ts";
import type { TileData } from "../learning-data.ts";
import { chipSizeOf } from "../option-rules.ts";
import { drawTiles } from "../pictures/draw-tiles.ts";
import { type DataKind, openData } from "./open-data.ts";
import type { DataSource, PrepareDataOptions } from "./options.ts";
import { openSource } from "./sources.ts";

/** Opens chips for classifying them. */
export async function prepareTiles(source: DataSource, options: PrepareDataOptions<"objectClassification">): Promise<TileData> {
  if (options.mask !== undefined) {
    throw new GeoLearnError("INVALID_ARGUMENT", "`mask` is for pixel classification: a chip has its class as a whole.", {
      hint: "Give `mask` when exporting: only chips wholly inside are made.",
      data: { field: "mask", value: options.mask },
    });
  }
  const kind = tileKind(options);
  const { common, amounts } = await openData(source, options, kind);
  const data: TileData = {
    ...common,
    multiLabel: kind.several(),
    crop: kind.crop(),
    classChips: amounts,
    classWeights: () => inverseFrequencyWeights(amounts),
    showBatch: (path, options) => drawTiles(data, path, options),
  };
  return data;
}

/** The kind, and what the folders that were opened tell. */
interface TileKind extends DataKind<TileChip, AssembledTiles> {
  several(): boolean;
  crop(): CropManner | null;
}

function tileKind({ resizeTo }: PrepareDataOptions): TileKind {
  const size = resizeTo === undefined ? undefined : chipSizeOf(resizeTo);
  let several = false;
  const crops: { readonly folder: string; readonly crop: CropManner | null }[] = [];
  return {
    several: () => several,
    crop: () => onlyCrop(crops),
    unit: "chips",
    background: false,
    get fewest() {
      return several ? 1 : 2;
    },
    open: (source, options): Promise<ChipSource<TileChip>> =>
      openSource(source, options, {
        async folder(folder, own) {
          const opened = await openTileChips(folder, { ...own, size });
          several ||= opened.several;
          crops.push({ folder, crop: opened.crop });
          return opened;
        },
        async windows() {
          throw new GeoLearnError(
            "UNSUPPORTED_FORMAT",
            "Chips with a class of their own are read from folders, not straight from a raster.",
            {
              hint: 'Export them first: `format: "labeledTiles"`, `"multiLabeledTiles"` or `"imagenet"`.',
            },
          );
        },
      }),
    count: countTiles,
    useful(records, { indexOf }, name) {
      const all = records.map((_, i) => i);
      const useful = several ? all : all.filter((i) => records[i]!.labels.some(([value]) => indexOf[value]! >= 0));
      if (useful.length > 0) return useful;
      throw new GeoLearnError("LABELS_EMPTY", `${name}: no chip has a class.`, { hint: "Ignore fewer classes." });
    },
    assembler: (setup, { indexOf, classes }, workers) =>
      createAssembler<"tiles", TileChip>({ ...setup, kind: "tiles", indexOf, classes: classes.length, several }, workers, (chip) => ({
        ...packImage(chip),
        classValues: chip.classValues,
      })),
  };
}

/** @throws CHIPS_MISMATCH for folders cut in different manners */
function onlyCrop([first, ...others]: readonly { readonly folder: string; readonly crop: CropManner | null }[]): CropManner | null {
  const manner = (crop: CropManner | null): string => (crop === null ? "none" : `${crop.mode}${crop.blacken ? ", blackened" : ""}`);
  const other = others.find(({ crop }) => manner(crop) !== manner(first!.crop));
  if (other === undefined) return first?.crop ?? null;
  throw new GeoLearnError(
    "CHIPS_MISMATCH",
    `${other.folder} was cut around its features by another manner (${manner(other.crop)}) than ${first!.folder} (${manner(first!.crop)}).`,
    { hint: "Folders of one training must be exported with the same `cropMode` and `blacken`.", data: { folder: other.folder } },
  );
}
