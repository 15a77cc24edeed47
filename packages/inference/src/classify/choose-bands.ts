/** Which bands of a scene a model gets. */

import { GeoLearnError } from "@geolearn/core";
import type { ModelManifest } from "@geolearn/models";

import type { SceneInfo } from "../inference-function.ts";

/** Names that say nothing: what readers make up for bands without one. */
const MADE_UP = /^(band[ _]?\d+|gray|undefined|\d*)$/i;

/**
 * Bands of the scene in the model's order: by name when both sides name them all, else by the positions they had in training.
 *
 * @throws BANDS_MISMATCH when the scene lacks a band
 */
export function chooseBands(manifest: ModelManifest, scene: SceneInfo): readonly number[] {
  const { bandNames, bandIndices } = manifest;
  const named = [...bandNames, ...scene.bandNames].every((name) => !MADE_UP.test(name.trim()));
  const positions = bandNames.map((name) => scene.bandNames.findIndex((other) => sameName(name, other)));
  const unique = new Set(positions).size === positions.length;
  if (named && unique && positions.every((position) => position >= 0)) return positions;
  if (bandIndices.every((band) => band < scene.bands)) return bandIndices;
  const wanted = bandIndices.map((band, i) => `${bandNames[i] ?? "band"} (band ${band + 1})`).join(", ");
  throw new GeoLearnError(
    "BANDS_MISMATCH",
    `The scene has ${scene.bands} bands (${scene.bandNames.join(", ")}); the model was trained with ${wanted}.`,
    {
      hint: `Use a scene with these bands, or give bands as ${bandIndices.length} positions counted from 0.`,
      data: { sceneBands: scene.bands, modelBands: bandIndices },
    },
  );
}

function sameName(a: string, b: string): boolean {
  return a.trim().toLowerCase() === b.trim().toLowerCase();
}
