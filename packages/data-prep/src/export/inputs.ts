/** Opens what an export reads: rasters as parts of one grid each, and labels laid on every part. */

import { type Affine, applyAffine, type ClassDefinition, imageBands, type Raster, stackDates } from "@geolearn/core";

import type { InputOptions } from "./input-options.ts";
import { maskLayer, toRasterCrs } from "./label-layer.ts";
import { asFeatures, countAreas, featureIdentity, NO_LABELS, openLabels, rasterLabels, vectorLabels } from "./open-labels.ts";
import { chooseBands, closeAll, onWantedGrid, openParts } from "./raster-parts.ts";
import type { BlockSource } from "./row-blocks.ts";
import { checkOverlap, labelOverlap, type LabelOverlap, near } from "./where-labels-lie.ts";

/** Rasters with labels, ready to be cut. */
export interface Inputs {
  readonly parts: readonly InputPart[];
  readonly classes: readonly ClassDefinition[];
  /** Bands of a date. */
  readonly bands: number;
  readonly bandNames: readonly string[];
  readonly sampleType: Raster["sampleType"];
  /** The later date, where there is one: its rasters as opened, and what its chips say of themselves. */
  readonly later: LaterDate | null;
  /** What identifies the labels and the mask, for fingerprints. */
  readonly labelIdentity: readonly unknown[];
  /** Label features with and without an area, buffers included; null for a class raster. */
  readonly areas: { readonly with: number; readonly without: number } | null;
  /** How rasters and labels meet; null where that cannot be told. */
  readonly overlap: LabelOverlap | null;
  close(): Promise<void>;
}

/** A later date of the ground of all parts; its bands follow those of the earlier date in every part. */
export interface LaterDate {
  readonly rasters: readonly Raster[];
  readonly bandNames: readonly string[];
  /** Missing samples in its chips; null where nothing tells them. */
  readonly nodata: number | null;
}

/** One grid to be cut. */
export interface InputPart extends BlockSource {
  /** The raster as opened, before any change of cell size or extent. */
  readonly original: Raster;
}

/**
 * Opens rasters, labels and mask, and lays the labels on each raster.
 *
 * @param options as their rules say
 * @throws INVALID_ARGUMENT, LABELS_OUTSIDE with both extents, LABELS_EMPTY, CRS_MISSING, CRS_MISMATCH, BANDS_MISMATCH, RASTER_NO_TRANSFORM
 */
export async function openInputs(options: InputOptions): Promise<Inputs> {
  const opened: Raster[] = [];
  try {
    const originals = await openParts(options.raster, options);
    opened.push(...originals);
    const laters = options.additionalRaster === undefined ? null : await openParts(options.additionalRaster, options);
    opened.push(...(laters ?? []));
    const labels = options.labels === undefined ? null : await openLabels(options.labels, options);
    if (labels !== null && "read" in labels && labels !== options.labels) opened.push(labels);
    const mask = options.mask === undefined ? null : await asFeatures(options.mask);
    const bands = chooseBands(originals, options.bands);
    const grids = originals.map((raster) => onWantedGrid(raster, options));
    const rasters =
      laters === null
        ? grids
        : grids.map((raster) => stackDates(raster, laters, options.bands === undefined ? {} : { bands: options.bands }));
    if (labels !== null) checkOverlap(rasters, labels);
    const prepared = labels === null ? NO_LABELS : "read" in labels ? await rasterLabels(labels, options) : vectorLabels(labels, options);
    const parts = rasters.map((raster, i) => ({
      raster,
      original: originals[i]!,
      bands: laters === null ? bands : imageBands(raster),
      labels: prepared.layer(raster),
      inside: mask === null ? null : maskLayer(toRasterCrs(near(mask, raster), raster)),
    }));
    return {
      parts,
      classes: prepared.classes,
      bands: bands.length,
      bandNames: bands.map((band) => originals[0]!.bandInfo[band]?.name ?? `band ${band + 1}`),
      sampleType: rasters[0]!.sampleType,
      later: laters === null ? null : laterDate(rasters[0]!, laters, bands.length),
      labelIdentity: [prepared.identity, mask === null ? null : featureIdentity(mask)],
      areas: labels === null || "read" in labels ? null : countAreas(labels, options),
      overlap: labels === null ? null : labelOverlap(rasters, labels),
      close: () => closeAll(opened),
    };
  } catch (error) {
    await closeAll(opened);
    throw error;
  }
}

function laterDate({ bandInfo, nodata }: Raster, rasters: readonly Raster[], each: number): LaterDate {
  const bandNames = bandInfo.slice(each).map(({ name }) => name.replace(/ after$/, ""));
  return { rasters, bandNames, nodata: nodata ?? rasters.find((raster) => raster.nodata !== null)?.nodata ?? null };
}

/** Position of a chip of a part, or null without one. */
export function chipTransform(raster: Raster, col: number, row: number): Affine | null {
  if (raster.transform === null) return null;
  const [a, b, , d, e] = raster.transform;
  const [c, f] = applyAffine(raster.transform, col, row);
  return [a, b, c, d, e, f];
}
