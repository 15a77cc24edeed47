/** PSPNet: raw pixel values in, one score per class and pixel out. */

import type * as tf from "@tensorflow/tfjs";

import { createBackbone, normOf } from "../backbones/backbone.ts";
import type { Network } from "../network.ts";
import { type Blueprint, createLayerFactory, type LayerFactory } from "../network/blueprint.ts";
import { instantiate, type CreateNetworkOptions } from "../network/instantiate.ts";
import { chain, type Layer } from "../network/layer.ts";
import { activate, concatChannels, dropoutLayer, meanOfCells, resizeByCorners } from "../network/layers.ts";
import type { ParameterSpec } from "../network/parameter-spec.ts";
import { pixelBlueprint } from "../network/pixel-blueprint.ts";
import { type PSPNetConfig, resolvePSPNetConfig } from "./config.ts";

/**
 * PSPNet (Zhao et al. 2017, https://arxiv.org/abs/1612.01105) for pixel classification: the encoder's map beside its own means over grids of 1, 4, 9 and
 * 36 cells, so that each pixel is judged with its surroundings. Layers, their names and details are those of segmentation_models_pytorch's PSPNet; with
 * `depth: 5` the encoder is the whole, dilated one of the paper. `startEngine` must have finished.
 *
 * Images are `[N, height, width, bands]` with the pixel values of the raster; `normalization` is applied inside. Logits
 * are `[N, height - 2 margin, width - 2 margin, classes]`. Height and width are multiples of the output stride and need not be equal.
 *
 * The cells divide the chip: scores of a pixel depend on the chip's size and on where it was cut. Scenes are read in windows of the chips' size.
 *
 * @throws INVALID_ARGUMENT for a configuration that cannot be built. The network itself throws BANDS_MISMATCH and
 * CHIP_SIZE_NOT_DIVISIBLE.
 *
 * @example
 * const network = createPSPNet({ bands: 4, classes: 3, backbone: "resnet18" }, { seed: 7 });
 */
export function createPSPNet(config: PSPNetConfig, options: CreateNetworkOptions = {}): Network<tf.Tensor4D> {
  return instantiate(pspNetBlueprint(config), options);
}

/** Parameters and layers of a PSPNet, without weights. */
export function pspNetBlueprint(given: PSPNetConfig): Blueprint {
  const config = resolvePSPNetConfig(given);
  const { backbone, convention, classes, decoderWidth, depth, dropout, outputStride, pyramidSizes } = config;
  const parameters: ParameterSpec[] = [];
  const encoderLayers = createLayerFactory(parameters, { ...config, ...normOf(backbone, convention), backbone: true });
  const layers = createLayerFactory(parameters, { ...config, backbone: false });
  const encoder = createBackbone(backbone, encoderLayers, config);
  const inputs = encoder.widths[depth - 1]!;
  const share = Math.max(1, Math.floor(inputs / pyramidSizes.length));
  const cells = pyramidSizes.map((size, i) => pooled(layers, `decoder.psp.blocks.${i}.pool.1`, { inputs, outputs: share, size }));
  const joined = chain(
    layers.conv("decoder.conv.0", { inputs: inputs + share * pyramidSizes.length, outputs: decoderWidth, size: 1 }),
    layers.norm("decoder.conv.1", decoderWidth, "relu"),
    dropoutLayer(dropout, "channels"),
  );
  const head = layers.conv("segmentation_head.0", { inputs: decoderWidth, outputs: classes, size: 3, bias: true });
  return pixelBlueprint({
    modelType: "pspnet",
    config,
    parameters,
    stride: outputStride,
    bandLayer: encoder.bandLayer,
    classLayer: "segmentation_head.0",
    layers(image, context) {
      const map = encoder.forward(image, context).at(-1)!;
      const around = cells.map((layer) => layer(map, context));
      const scores = head(joined(concatChannels(...around, map), context), context);
      return resizeByCorners(scores, image);
    },
  });
}

/** Means over a grid of cells, narrowed, at the map's size again. A single cell is not normalized: over one image it would become 0. */
function pooled(
  layers: LayerFactory,
  name: string,
  { inputs, outputs, size }: { readonly inputs: number; readonly outputs: number; readonly size: number },
): Layer {
  const single = size === 1;
  const narrow = layers.conv(`${name}.0`, { inputs, outputs, size: 1, bias: single });
  const finish: Layer = single ? (x) => activate(x, "relu") : layers.norm(`${name}.1`, outputs, "relu");
  return (x, context) => resizeByCorners(finish(narrow(meanOfCells(x, size), context), context), x);
}
