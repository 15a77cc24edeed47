/** How the chips of a figure of results are shown. */

import { type ShownPicture, shownPictures } from "@geolearn/data-prep";

import type { ResultsFigureOptions } from "./task.ts";

/** The pictures of some examples for any choice of bands: one, or of two dates one of each, the later one last. */
export function shownExamples(
  data: Parameters<typeof shownPictures>[0],
  examples: readonly { readonly image: Float32Array }[],
): (rgb?: ResultsFigureOptions["rgb"]) => readonly ShownPicture[] {
  const images = examples.map(({ image }) => image);
  return (rgb) => shownPictures(data, images, rgb);
}
