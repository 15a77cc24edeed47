/** Chips of which only the land inside polygons counts. */

import {
  type Crs,
  type Features,
  GeoLearnError,
  type Shape,
  applyAffine,
  bringAround,
  rasterize,
  readFeatures,
  reprojectFeatures,
  sameCrs,
} from "@geolearn/core";

import { IGNORE_VALUE, type Chip, type ChipSource, toShared } from "./chip.ts";

/**
 * The same chips with labels outside the polygons ignored. Nothing is stored in the chips' folder, because what is measured holds
 * for this mask only.
 *
 * @throws FEATURES_EMPTY for a mask without polygons; while reading RASTER_NO_TRANSFORM for a chip without position, CRS_MISSING
 */
export async function maskSource(source: ChipSource, mask: string | Features): Promise<ChipSource> {
  const features = await readFeatures(mask);
  const areas = features.features.filter(({ geometry }) => geometry?.type === "Polygon" || geometry?.type === "MultiPolygon");
  if (areas.length === 0) {
    throw new GeoLearnError("FEATURES_EMPTY", `The mask ${features.name} has no polygons.`, {
      hint: "Give polygons of the surveyed land.",
    });
  }
  const placed: { readonly crs: Crs; readonly shapes: readonly Shape[] }[] = [];
  const shapesIn = (crs: Crs): readonly Shape[] => {
    const known = placed.find((entry) => sameCrs(entry.crs, crs));
    if (known !== undefined) return known.shapes;
    const { features: moved } = reprojectFeatures({ ...features, features: areas }, crs);
    const shapes = moved.map(({ geometry }) => ({ geometry: geometry!, value: 1 }));
    placed.push({ crs, shapes });
    return shapes;
  };
  return {
    ...source,
    folder: null,
    read: async (index, signal) => hideOutside(await source.read(index, signal), source.chips[index]!.name, shapesIn),
    close: () => source.close(),
  };
}

function hideOutside(chip: Chip, name: string, shapesIn: (crs: Crs) => readonly Shape[]): Chip {
  const { transform, crs, width, height } = chip;
  if (transform === null) {
    throw new GeoLearnError("RASTER_NO_TRANSFORM", `Chip ${name} has no position, so a mask means nothing on it.`, {
      hint: "Leave out `mask`, or use chips with a georeference.",
    });
  }
  if (crs === null) {
    throw new GeoLearnError("CRS_MISSING", `Chip ${name} names no reference system, so the mask cannot be laid over it.`, {
      hint: "Leave out `mask`, or export the chips from a raster with a reference system.",
    });
  }
  const [x] = applyAffine(transform, width / 2, height / 2);
  const shapes = crs.geographic
    ? shapesIn(crs).map(({ geometry, value }) => ({ geometry: bringAround(geometry!, x), value }))
    : shapesIn(crs);
  const inside = rasterize(shapes, { width, height, transform });
  return {
    ...chip,
    labels: toShared(
      "uint16",
      chip.labels.map((value, i) => (inside[i] === 0 ? IGNORE_VALUE : value)),
    ) as Uint16Array,
  };
}
