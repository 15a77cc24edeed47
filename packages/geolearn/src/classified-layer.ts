/** Classified features with the next verbs attached. */

import type { ClassifiedObjects, ObjectCounts } from "@geolearn/inference";
import { FeatureLayer } from "./feature-layer.ts";

/**
 * The result of `classifyObjects`: features with classes, to be saved or filtered.
 *
 * @example
 * const roofs = await model.classifyObjects("city.tif", "buildings.gpkg");
 * await roofs.filter(({ properties }) => properties["class"] === "flat").save("flat-roofs.gpkg");
 */
export class ClassifiedLayer extends FeatureLayer implements ClassifiedObjects {
  /** How many features got what. */
  readonly counts: ObjectCounts;

  constructor(found: ClassifiedObjects) {
    super(found);
    this.counts = found.counts;
  }
}
