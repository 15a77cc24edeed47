/** Change detection: raw pixel values of two dates in, one score per kind of change and pixel out. */

import type * as tf from "@tensorflow/tfjs";

import type { Network } from "../network.ts";
import type { Blueprint } from "../network/blueprint.ts";
import { instantiate, type CreateNetworkOptions } from "../network/instantiate.ts";
import type { ParameterSpec } from "../network/parameter-spec.ts";
import { pixelBlueprint } from "../network/pixel-blueprint.ts";
import { strideOf } from "../unet/config.ts";
import { type ChangeDetectorConfig, resolveChangeDetectorConfig } from "./config.ts";
import { siameseUNet } from "./siamese.ts";

/**
 * A siamese U-Net for change detection (Daudt, Le Saux and Boulch 2018, https://arxiv.org/abs/1810.08462: FC-Siam-diff and FC-Siam-conc): one encoder
 * sees each date by itself, the decoder sees the differences of their maps, or both side by side. Unlike there, the maps of the lowest level are
 * brought together as well, and encoder and decoder are those of our U-Net. `startEngine` must have finished.
 *
 * Images are `[N, height, width, bands]` with the pixel values of both dates, the earlier one's bands first; `normalization` is applied inside. Logits are
 * `[N, height - 2 margin, width - 2 margin, classes]`. It is a network of pixel classification: the classes are kinds of change.
 *
 * @throws INVALID_ARGUMENT for a configuration that cannot be built. The network itself throws BANDS_MISMATCH and
 * CHIP_SIZE_NOT_DIVISIBLE.
 *
 * @example
 * const network = createChangeDetector({ bands: 6, classes: 2, backbone: "resnet18" }, { seed: 7 }); // red, green, blue of two years
 */
export function createChangeDetector(config: ChangeDetectorConfig, options: CreateNetworkOptions = {}): Network<tf.Tensor4D> {
  return instantiate(changeDetectorBlueprint(config), options);
}

/** Parameters and layers of a change detector, without weights. */
export function changeDetectorBlueprint(given: ChangeDetectorConfig): Blueprint {
  const config = resolveChangeDetectorConfig(given);
  const parameters: ParameterSpec[] = [];
  return pixelBlueprint({
    modelType: "change-detector",
    config,
    parameters,
    stride: strideOf(config),
    classLayer: "head",
    ...siameseUNet(config, parameters),
  });
}
