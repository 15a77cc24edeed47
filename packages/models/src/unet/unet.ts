/** U-Net: raw pixel values in, one score per class and pixel out. */

import type * as tf from "@tensorflow/tfjs";

import type { Network } from "../network.ts";
import type { Blueprint } from "../network/blueprint.ts";
import { instantiate, type CreateNetworkOptions } from "../network/instantiate.ts";
import type { ParameterSpec } from "../network/parameter-spec.ts";
import { pixelBlueprint } from "../network/pixel-blueprint.ts";
import { resolveUNetConfig, strideOf, type UNetConfig } from "./config.ts";
import { plainUNet } from "./plain.ts";
import { backboneUNet } from "./with-backbone.ts";

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
  const { backbone } = resolved;
  const stride = strideOf(resolved);
  const { layers, bandLayer } =
    backbone === null
      ? { layers: plainUNet(resolved, parameters), bandLayer: "down.0.conv1" }
      : backboneUNet(resolved, backbone, parameters);
  return pixelBlueprint({ modelType: "unet", config: resolved, parameters, stride, bandLayer, classLayer: "head", layers });
}
