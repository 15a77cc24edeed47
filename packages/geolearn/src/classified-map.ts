/** A classified scene with the next verbs attached. */

import type { WorkOptions } from "@geolearn/core";
import { ClassifiedRaster } from "@geolearn/inference";
import type { PolygonizeOptions } from "@geolearn/postprocess";
import { FeatureLayer } from "./feature-layer.ts";

/**
 * The result of `classifyPixels`: save it as a Cloud-Optimized GeoTIFF, or go on to polygons.
 *
 * @example
 * const map = await model.classifyPixels("scene.tif");
 * await map.save("classes.tif");
 * await (await map.toPolygons({ classes: ["building"] })).save("footprints.gpkg");
 */
export class ClassifiedMap extends ClassifiedRaster {
  /** Outlines of the classes, in the scene's CRS. */
  override async toPolygons(options: PolygonizeOptions & WorkOptions = {}): Promise<FeatureLayer> {
    return new FeatureLayer(await super.toPolygons(options));
  }
}
