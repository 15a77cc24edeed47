/** What a chip folder holds, counted from the chips themselves. */

import { type Bounds, type ClassDefinition, gridBounds, unionBounds, type WorkOptions } from "@geolearn/core";

import { ChipCache } from "../chips/chip-cache.ts";
import { withChipFolder } from "../chips/any-folder.ts";
import type { LabelUnit } from "../chips/class-table.ts";
import { measureChips } from "../chips/measure.ts";
import { mergeMoments, momentsToStatistics, NO_MOMENTS } from "../esri/accumulated-stats.ts";
import { readCrsText } from "../split/footprint.ts";

/** One band of a chip folder. */
export interface BandDescription {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  readonly std: number;
}

/** One class of a chip folder. */
export interface ClassDescription extends ClassDefinition {
  /** Labelled pixels, in class rasters. */
  readonly pixels: number;
  /** Labelled objects, in the other formats. */
  readonly objects: number;
  /** Share of all labelled pixels or objects, 0 to 1. */
  readonly share: number;
  /** Chips with at least one pixel or object of the class. */
  readonly chips: number;
}

/** What {@link describeChips} tells. */
export interface ChipsDescription {
  readonly folder: string;
  readonly format: string;
  /** What is counted per class. */
  readonly unit: LabelUnit;
  readonly chips: number;
  readonly width: number;
  readonly height: number;
  readonly sampleType: string;
  readonly bands: readonly BandDescription[];
  readonly classes: readonly ClassDescription[];
  /** Values in the labels that the `.emd` does not name; 0 is background. */
  readonly undeclared: readonly number[];
  /** Pixels nothing is learnt from. */
  readonly ignoredPixels: number;
  /** Chips with background alone, or without an object. */
  readonly unlabelledChips: number;
  /** Reference systems of the chips: EPSG codes or names. */
  readonly crs: readonly string[];
  /** Ground covered per reference system, in its units. */
  readonly extents: readonly { readonly crs: string | null; readonly bounds: Bounds }[];
}

/**
 * Describes a chip folder; every chip is read once, later calls use the stored statistics.
 *
 * @throws FILE_NOT_FOUND, CHIPS_CORRUPT, CHIPS_MISMATCH, TASK_MISMATCH
 */
export async function describeChips(folder: string, options: WorkOptions = {}): Promise<ChipsDescription> {
  return withChipFolder(folder, { onWarning: options.onWarning }, async (opened, format) => {
    const { chips: source, unit, count } = opened;
    const records = await measureChips(new ChipCache(source, 0), { ...options, folder, count });
    const amounts = new Map<number, { amount: number; chips: number }>();
    let labelled = 0;
    for (const { labels } of records) {
      for (const [value, amount] of labels) {
        const own = amounts.get(value) ?? { amount: 0, chips: 0 };
        amounts.set(value, { amount: own.amount + amount, chips: own.chips + 1 });
        labelled += amount;
      }
    }
    const bare = unit === "pixels" && amounts.has(0) && !source.classes.some(({ value }) => value === 0);
    const declared = bare ? [BACKGROUND, ...source.classes] : source.classes;
    const known = new Set(declared.map(({ value }) => value));
    const moments = source.bandNames.map((_, band) =>
      records.reduce((sum, record) => mergeMoments(sum, record.moments[band]!), NO_MOMENTS),
    );
    return {
      folder,
      format,
      unit,
      chips: records.length,
      width: source.width,
      height: source.height,
      sampleType: source.sampleType,
      bands: moments.map((entry, band) => {
        const { min, max, mean, std } = momentsToStatistics(entry);
        return { name: source.bandNames[band]!, min, max, mean, std };
      }),
      classes: declared.map((entry) => {
        const { amount, chips } = amounts.get(entry.value) ?? { amount: 0, chips: 0 };
        const share = labelled === 0 ? 0 : amount / labelled;
        return { ...entry, pixels: unit === "pixels" ? amount : 0, objects: unit === "objects" ? amount : 0, share, chips };
      }),
      undeclared: [...amounts.keys()].filter((value) => !known.has(value)).sort((a, b) => a - b),
      ignoredPixels: unit === "pixels" ? records.length * source.width * source.height - labelled : 0,
      unlabelledChips: records.filter(({ labels }) => !labels.some(([value]) => value !== 0 || unit !== "pixels")).length,
      ...placesOf(records, source.width, source.height),
    };
  });
}

/** Names of the bands of a chip folder, in order. @throws FILE_NOT_FOUND, CHIPS_CORRUPT, TASK_MISMATCH */
export async function chipBandNames(folder: string, options: WorkOptions = {}): Promise<readonly string[]> {
  return withChipFolder(folder, { onWarning: options.onWarning }, async ({ chips }) => chips.bandNames);
}

const BACKGROUND: ClassDefinition = { value: 0, name: "background", color: [0, 0, 0] };

function placesOf(
  records: readonly { readonly transform: Parameters<typeof gridBounds>[0] | null; readonly crs: string | null }[],
  width: number,
  height: number,
): Pick<ChipsDescription, "crs" | "extents"> {
  const extents = new Map<string | null, Bounds>();
  for (const { transform, crs } of records) {
    if (transform === null) continue;
    extents.set(crs, unionBounds(extents.get(crs) ?? null, gridBounds(transform, width, height))!);
  }
  const names = [...extents.keys()].filter((crs) => crs !== null).map((crs) => (crs.startsWith("EPSG") ? crs : readCrsText(crs).name));
  return { crs: names, extents: [...extents].map(([crs, bounds]) => ({ crs, bounds })) };
}
