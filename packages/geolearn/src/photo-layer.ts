/** Classified photos with the next verbs attached. */

import type { ClassifiedPhotos } from "@geolearn/inference";
import { ClassifiedLayer } from "./classified-layer.ts";

/**
 * The result of `classifyPhotos`: a point for each photo, to be saved or filtered, and the photos that have no place.
 *
 * @example
 * const survey = await model.classifyPhotos("survey/photos");
 * await survey.save("facades.geojson");
 * console.log(survey.skipped); // paths of photos without a position
 */
export class PhotoLayer extends ClassifiedLayer implements ClassifiedPhotos {
  /** Photos that were left out because nothing tells where they were taken. */
  readonly skipped: readonly string[];

  constructor(found: ClassifiedPhotos) {
    super(found);
    this.skipped = found.skipped;
  }
}
