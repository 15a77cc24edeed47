/** DeepLab v3+: raw pixel values in, one score per class and pixel out. */

import type * as tf from "@tensorflow/tfjs";

import { createBackbone, normOf } from "../backbones/backbone.ts";
import type { Network } from "../network.ts";
import { type Blueprint, createLayerFactory } from "../network/blueprint.ts";
import { instantiate, type CreateNetworkOptions } from "../network/instantiate.ts";
import { chain } from "../network/layer.ts";
import { concatChannels, resizeByCorners } from "../network/layers.ts";
import type { ParameterSpec } from "../network/parameter-spec.ts";
import { pixelBlueprint } from "../network/pixel-blueprint.ts";
import { type DeepLabConfig, resolveDeepLabConfig } from "./config.ts";
import { atrousPyramid, separableConv } from "./layers.ts";

/** Channels of the fine map beside the pyramid's, as Chen et al. chose. */
const FINE_WIDTH = 48;

/**
 * DeepLab v3+ (Chen et al. 2018, https://arxiv.org/abs/1802.02611) for pixel classification: an encoder whose last map is kept large by dilated
 * convolutions, a pyramid that sees it at several distances and as a whole, and a decoder that joins a finer map. Layers, their names and details are those of
 * segmentation_models_pytorch's DeepLabV3Plus. `startEngine` must have finished.
 *
 * Images are `[N, height, width, bands]` with the pixel values of the raster; `normalization` is applied inside. Logits
 * are `[N, height - 2 margin, width - 2 margin, classes]`. Height and width are multiples of the output stride and need not be equal.
 *
 * The network sees a mean over the whole chip: scores of a pixel depend on the chip's size and on where it was cut.
 *
 * @throws INVALID_ARGUMENT for a configuration that cannot be built. The network itself throws BANDS_MISMATCH and
 * CHIP_SIZE_NOT_DIVISIBLE, and in training INVALID_ARGUMENT for single images with batch norm.
 *
 * @example
 * const network = createDeepLab({ bands: 4, classes: 3, backbone: "resnet18" }, { seed: 7 });
 */
export function createDeepLab(config: DeepLabConfig, options: CreateNetworkOptions = {}): Network<tf.Tensor4D> {
  return instantiate(deepLabBlueprint(config), options);
}

/** Parameters and layers of a DeepLab, without weights. */
export function deepLabBlueprint(given: DeepLabConfig): Blueprint {
  const config = resolveDeepLabConfig(given);
  const { backbone, convention, classes, decoderWidth: width, outputStride } = config;
  const parameters: ParameterSpec[] = [];
  const encoderLayers = createLayerFactory(parameters, { ...config, ...normOf(backbone, convention), backbone: true });
  const layers = createLayerFactory(parameters, { ...config, backbone: false });
  const encoder = createBackbone(backbone, encoderLayers, config);
  const pyramid = chain(
    atrousPyramid(layers, "decoder.aspp.0", encoder.widths[4], config),
    separableConv(layers, "decoder.aspp.1", width, width),
    layers.norm("decoder.aspp.2", width, "relu"),
  );
  const fine = chain(
    layers.conv("decoder.block1.0", { inputs: encoder.widths[1], outputs: FINE_WIDTH, size: 1 }),
    layers.norm("decoder.block1.1", FINE_WIDTH, "relu"),
  );
  const joined = chain(
    separableConv(layers, "decoder.block2.0", FINE_WIDTH + width, width),
    layers.norm("decoder.block2.1", width, "relu"),
  );
  const head = layers.conv("segmentation_head.0", { inputs: width, outputs: classes, size: 1, bias: true });
  return pixelBlueprint({
    modelType: "deeplab",
    config,
    parameters,
    stride: outputStride,
    bandLayer: encoder.bandLayer,
    classLayer: "segmentation_head.0",
    layers(image, context) {
      const maps = encoder.forward(image, context);
      const near = fine(maps[1]!, context);
      const around = resizeByCorners(pyramid(maps[4]!, context), near);
      const scores = head(joined(concatChannels(around, near), context), context);
      return resizeByCorners(scores, image);
    },
  });
}
