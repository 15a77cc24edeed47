/** What finding the objects of a scene will cost, before it is done. */

import type { RasterSource } from "@geolearn/core";

import { type InferenceEstimate, measureWindows } from "../run/estimate.ts";
import {
  type DetectModel,
  type DetectOptions,
  detectBlock,
  featureOptions,
  prepareDetection,
  windowSightings,
  withDetector,
} from "./detect-objects.ts";
import type { Sighting } from "./detection.ts";
import { objectFeature } from "./object-features.ts";

/** Bytes of an object a window saw, without its mask. */
const SIGHTING = 300;
const MEBIBYTE = 1024 * 1024;

/**
 * Time, memory and disk that {@link detectObjects} and writing what it finds will need, from three measured batches. Nothing is written. What depends on the number
 * of objects is that of the measured windows, scaled up.
 *
 * @throws as `detectObjects`
 * @example
 * const { seconds, memoryMb } = await estimateDetection("trees.dlpk", "forest.tif");
 */
export async function estimateDetection(model: DetectModel, raster: RasterSource, options: DetectOptions = {}): Promise<InferenceEstimate> {
  return withDetector(model, options, async (fn) => {
    const { signal } = options;
    const setup = await prepareDetection(fn, raster, options);
    try {
      const seen: Sighting[] = [];
      let looked = 0;
      const cost = await measureWindows(setup, {
        outputBands: 0,
        signal,
        compute: (batch) => detectBlock(setup, batch, signal),
        look(batch, images) {
          looked += batch.entries.length;
          for (const entry of batch.entries) seen.push(...windowSightings(setup, entry, images).sightings);
        },
      });
      const scale = looked === 0 ? 0 : cost.windows / looked;
      const described = featureOptions(setup, options);
      let [held, written] = [0, 0];
      for (const sighting of seen) {
        held += SIGHTING + (sighting.mask?.bits.length ?? 0);
        const feature = await objectFeature({ ...sighting, mask: sighting.mask ?? null, windows: 1 }, described);
        written += feature === null ? 0 : JSON.stringify(feature).length;
      }
      return { ...cost, memoryMb: cost.memoryMb + (scale * (held + written)) / MEBIBYTE, diskMb: (scale * written) / MEBIBYTE };
    } finally {
      await setup.close();
    }
  });
}
