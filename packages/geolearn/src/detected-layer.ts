/** Objects found on a scene with the next verbs attached. */

import type { DetectedObjects } from "@geolearn/inference";
import { FeatureLayer } from "./feature-layer.ts";

/**
 * The result of `detectObjects`: features, to be saved, filtered or made regular.
 *
 * @example
 * const buildings = await model.detectObjects("scene.tif", { minScore: 0.6 });
 * await buildings.regularize({ method: "rightAngles", tolerance: 1 }).save("footprints.gpkg");
 */
export class DetectedLayer extends FeatureLayer implements DetectedObjects {
  readonly windows: number;
  readonly seconds: number;
  readonly megapixelsPerSecond: number;

  constructor(found: DetectedObjects) {
    super(found);
    ({ windows: this.windows, seconds: this.seconds, megapixelsPerSecond: this.megapixelsPerSecond } = found);
  }
}
