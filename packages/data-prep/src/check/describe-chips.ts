/** What a chip folder holds, counted from the chips themselves. */

import { type Bounds, type ClassDefinition, gridBounds, unionBounds, type WorkOptions } from "@geolearn/core";

import { ChipCache } from "../chips/chip-cache.ts";
import { countLabels } from "../chips/chip-record.ts";
import { readFolderContent } from "../chips/folder-content.ts";
import { openChipFolder } from "../chips/folder-source.ts";
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
  readonly pixels: number;
  /** Share of the labelled pixels, 0 to 1. */
  readonly share: number;
  /** Chips with at least one pixel of the class. */
  readonly chips: number;
}

/** What {@link describeChips} tells. */
export interface ChipsDescription {
  readonly folder: string;
  readonly format: string;
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
  const content = await readFolderContent(folder);
  const source = await openChipFolder(folder, { onWarning: options.onWarning });
  try {
    const records = await measureChips(new ChipCache(source, 0), { ...options, folder, count: countLabels });
    const pixels = new Map<number, { pixels: number; chips: number }>();
    let labelled = 0;
    for (const { labels } of records) {
      for (const [value, count] of labels) {
        const own = pixels.get(value) ?? { pixels: 0, chips: 0 };
        pixels.set(value, { pixels: own.pixels + count, chips: own.chips + 1 });
        labelled += count;
      }
    }
    const declared = source.classes.some(({ value }) => value === 0) || !pixels.has(0) ? source.classes : [BACKGROUND, ...source.classes];
    const known = new Set(declared.map(({ value }) => value));
    const moments = source.bandNames.map((_, band) =>
      records.reduce((sum, record) => mergeMoments(sum, record.moments[band]!), NO_MOMENTS),
    );
    return {
      folder,
      format: content.metaDataMode,
      chips: records.length,
      width: source.width,
      height: source.height,
      sampleType: source.sampleType,
      bands: moments.map((entry, band) => {
        const { min, max, mean, std } = momentsToStatistics(entry);
        return { name: source.bandNames[band]!, min, max, mean, std };
      }),
      classes: declared.map((entry) => {
        const own = pixels.get(entry.value) ?? { pixels: 0, chips: 0 };
        return { ...entry, ...own, share: labelled === 0 ? 0 : own.pixels / labelled };
      }),
      undeclared: [...pixels.keys()].filter((value) => !known.has(value)).sort((a, b) => a - b),
      ignoredPixels: records.length * source.width * source.height - labelled,
      ...placesOf(records, source.width, source.height),
    };
  } finally {
    await source.close();
  }
}

/** Names of the bands of a chip folder, in order. @throws FILE_NOT_FOUND, CHIPS_CORRUPT, TASK_MISMATCH */
export async function chipBandNames(folder: string, options: WorkOptions = {}): Promise<readonly string[]> {
  const source = await openChipFolder(folder, { onWarning: options.onWarning });
  await source.close();
  return source.bandNames;
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
