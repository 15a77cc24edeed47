/** U-Net: raw pixel values in, one score per class and pixel out. */

import { GeoLearnError } from "@geolearn/core";
import type * as tf from "@tensorflow/tfjs";

import type { Network } from "../network.ts";
import type { Blueprint } from "../network/blueprint.ts";
import { checkChipSize } from "../network/chip-size.ts";
import { instantiate, type CreateNetworkOptions } from "../network/instantiate.ts";
import type { Layer } from "../network/layer.ts";
import { cutBorder, normalizeBands } from "../network/layers.ts";
import type { ParameterSpec } from "../network/parameter-spec.ts";
import { resolveUNetConfig, strideOf, type UNetConfig } from "./config.ts";
import { plainUNet } from "./plain.ts";
import { backboneUNet } from "./with-backbone.ts";

const MODEL_TYPE = "unet";

/**
 * A U-Net for pixel classification. `startEngine` must have finished.
 *
 * Images are `[N, height, width, bands]` with the pixel values of the raster; `normalization` is applied inside. Logits
 * are `[N, height - 2 margin, width - 2 margin, classes]`. Height and width are multiples of `network.stride` and need
 * not be equal. The seed decides the first weights; equal seeds give equal weights.
 *
 * @throws INVALID_ARGUMENT for a configuration that cannot be built. The network itself throws BANDS_MISMATCH and
 * CHIP_SIZE_NOT_DIVISIBLE.
 *
 * @example
 * const network = createUNet({ bands: 3, classes: 2, base: 16, depth: 4 }, { seed: 7 }); // 1,812,034 trainable parameters
 */
export function createUNet(config: UNetConfig, options: CreateNetworkOptions = {}): Network<tf.Tensor4D> {
  return instantiate(unetBlueprint(config), options);
}

/** Parameters and layers of a U-Net, without weights. */
export function unetBlueprint(config: UNetConfig): Blueprint {
  const resolved = resolveUNetConfig(config);
  const parameters: ParameterSpec[] = [];
  const { backbone, normalization, bands, classes, margin } = resolved;
  const stride = strideOf(resolved);
  const { layers, bandLayer } =
    backbone === null
      ? { layers: plainUNet(resolved, parameters), bandLayer: "down.0.conv1" }
      : backboneUNet(resolved, backbone, parameters);
  const forward: Layer = (images, context) => {
    const [, height, width, given] = images.shape;
    if (given !== bands) throw wrongBands(given, bands);
    checkChipSize({ modelType: MODEL_TYPE, stride, margin }, width, height);
    const pixels = normalization === null ? images : normalizeBands(images, normalization);
    return cutBorder(layers(pixels, context), margin);
  };
  return {
    task: "pixelClassification",
    modelType: MODEL_TYPE,
    config: resolved,
    parameters,
    bands,
    classes,
    stride,
    margin,
    bandLayer,
    classLayer: "head",
    forward,
  };
}

function wrongBands(given: number, expected: number): GeoLearnError {
  return new GeoLearnError("BANDS_MISMATCH", `The unet network got images of ${given} bands, it was made for ${expected}.`, {
    hint: "Choose the bands the network was trained on, in the same order.",
    data: { given, expected },
  });
}
