/** Which bands of a scene a model gets. */

import { GeoLearnError } from "@geolearn/core";
import type { ModelManifest } from "@geolearn/models";

/** Names that say nothing: what readers make up for bands without one. */
const MADE_UP = /^(band[ _]?\d+|gray|undefined|\d*)$/i;

/** The bands of a scene or of chips. */
export interface NamedBands {
  readonly bands: number;
  readonly bandNames: readonly string[];
}

/**
 * Bands of a scene in the model's order: by name when both sides name them all, else by the positions they had in training. Of a
 * scene with more bands than the training rasters had, positions say nothing: then the caller has to choose.
 *
 * @throws BANDS_MISMATCH when the scene lacks a band, or has more and no names to find them by
 * @example
 * modelBands(manifest, { bands: 4, bandNames: ["blue", "green", "red", "nir"] }); // [2, 1, 0] for a model of red, green, blue
 */
export function modelBands(
  manifest: Pick<ModelManifest, "bandNames" | "bandIndices" | "sourceBands">,
  scene: NamedBands,
): readonly number[] {
  const { bandNames, bandIndices } = manifest;
  const named = [...bandNames, ...scene.bandNames].every((name) => !MADE_UP.test(name.trim()));
  const positions = bandNames.map((name) => scene.bandNames.findIndex((other) => sameName(name, other)));
  const unique = new Set(positions).size === positions.length;
  if (named && unique && positions.every((position) => position >= 0)) return positions;
  const fits = bandIndices.every((band) => band < scene.bands);
  if (fits && scene.bands <= trainedOn(manifest, scene)) return bandIndices;
  const wanted = bandIndices.map((band, i) => `${bandNames[i] ?? "band"} (number ${band})`).join(", ");
  const example = fits ? bandIndices : bandIndices.map((_, i) => i);
  throw new GeoLearnError(
    "BANDS_MISMATCH",
    `There ${scene.bands === 1 ? "is 1 band" : `are ${scene.bands} bands`} (${scene.bandNames.join(", ")}); the model was trained with ${wanted}${fits ? `, of ${trainedOn(manifest, scene)}` : ""}.`,
    {
      hint:
        scene.bands < bandIndices.length
          ? `Give a raster that has its ${bandIndices.length} bands.`
          : `Choose its ${bandIndices.length} bands in this order, by number from 0 or by name, such as \`bands: [${example.join(", ")}]\`.`,
      data: { sceneBands: scene.bands, modelBands: bandIndices },
    },
  );
}

/** Bands the training rasters had. A package that does not say: as many as it uses when it uses the first ones, else as many as here. */
function trainedOn({ sourceBands, bandIndices }: Pick<ModelManifest, "bandIndices" | "sourceBands">, scene: NamedBands): number {
  return sourceBands ?? (bandIndices.every((band, i) => band === i) ? bandIndices.length : scene.bands);
}

function sameName(a: string, b: string): boolean {
  return a.trim().toLowerCase() === b.trim().toLowerCase();
}
