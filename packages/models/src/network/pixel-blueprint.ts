/** What networks of pixel classification have around their layers: the same checks in front, the same cut behind. */

import { GeoLearnError } from "@geolearn/core";

import type { Blueprint } from "./blueprint.ts";
import { checkChipSize } from "./chip-size.ts";
import type { Layer } from "./layer.ts";
import { cutBorder, normalizeBands } from "./layers.ts";
import type { BandNormalization } from "./normalization.ts";
import type { ParameterSpec } from "./parameter-spec.ts";

/** The parts of such a network that are its own. */
export interface PixelLayers {
  readonly modelType: string;
  readonly config: Readonly<Record<string, unknown>> & {
    readonly bands: number;
    readonly classes: number;
    readonly margin: number;
    readonly normalization: BandNormalization | null;
  };
  readonly parameters: readonly ParameterSpec[];
  /** Sides of the input must be multiples of this. */
  readonly stride: number;
  readonly bandLayer: string;
  readonly classLayer: string;
  /** Normalized pixels to logits of the same size. */
  readonly layers: Layer;
}

/** The network: images are checked, normalized, scored, and the margin is cut away. Its forward pass throws BANDS_MISMATCH and CHIP_SIZE_NOT_DIVISIBLE. */
export function pixelBlueprint({ layers, ...own }: PixelLayers): Blueprint {
  const { modelType, config, stride } = own;
  const { bands, classes, margin, normalization } = config;
  return {
    ...own,
    task: "pixelClassification",
    bands,
    classes,
    margin,
    forward(images, context) {
      const [, height, width, given] = images.shape;
      if (given !== bands) throw wrongBands(modelType, given, bands);
      checkChipSize({ modelType, stride, margin }, width, height);
      const pixels = normalization === null ? images : normalizeBands(images, normalization);
      return cutBorder(layers(pixels, context), margin);
    },
  };
}

function wrongBands(modelType: string, given: number, expected: number): GeoLearnError {
  return new GeoLearnError("BANDS_MISMATCH", `The ${modelType} network got images of ${given} bands, it was made for ${expected}.`, {
    hint: "Choose the bands the network was trained on, in the same order.",
    data: { given, expected },
  });
}
