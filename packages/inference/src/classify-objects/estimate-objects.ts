/** What classifying the features of a layer will cost, before it is done. */

import type { FeatureSource, RasterSource } from "@geolearn/core";
import type { ModelPackage } from "@geolearn/models";

import { Pace } from "../run/estimate.ts";
import { type ClassifyObjectsOptions, openClassification } from "./classify-objects.ts";

/** Cost of classifying a layer. */
export interface ObjectsEstimate {
  /** Features of the layer. */
  readonly features: number;
  /** Time of the whole work, in seconds. */
  readonly seconds: number;
  /** Memory of this process, in MiB; features that are collected come on top. */
  readonly memoryMb: number;
  /** Disk for the result as GeoJSON, in MiB. */
  readonly diskMb: number;
  /** Batches that were measured; fewer than three of small layers. */
  readonly measuredBatches: number;
}

/** Characters of class, value and score in a feature. */
const FIELDS = 60;
const MEBIBYTE = 1024 * 1024;

/**
 * Time, memory and disk that {@link streamClassifiedObjects} and writing what it gives will need, from three measured batches, as if all features were like the
 * first ones. The layer is read once, to count them. Nothing is written.
 *
 * @throws as `streamClassifiedObjects`
 * @example
 * const { features, seconds } = await estimateObjects("roofs.dlpk", "city.tif", "buildings.gpkg");
 */
export async function estimateObjects(
  model: ModelPackage | string,
  raster: RasterSource,
  features: FeatureSource,
  options: ClassifyObjectsOptions = {},
): Promise<ObjectsEstimate> {
  const { stream, run, close } = await openClassification(model, raster, features, options);
  try {
    const pace = new Pace();
    let [looked, written] = [0, 0];
    for await (const [chunk] of run.batches()) {
      looked += chunk.features.length;
      const enough = pace.mark(looked);
      for (const feature of chunk.features) written += JSON.stringify(feature).length + FIELDS;
      if (enough) break;
    }
    const memoryMb = process.memoryUsage().rss / MEBIBYTE;
    let all = 0;
    for await (const _feature of stream) {
      options.signal?.throwIfAborted();
      all++;
    }
    const diskMb = looked === 0 ? 0 : ((all / looked) * written) / MEBIBYTE;
    return { features: all, seconds: pace.seconds(all), memoryMb, diskMb, measuredBatches: pace.batches };
  } finally {
    await close();
  }
}
