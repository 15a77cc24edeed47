/** Faster R-CNN: raw pixel values in, boxes with classes and scores out. */

import { constant } from "@geolearn/engine";
import type * as tf from "@tensorflow/tfjs";

import { checkedSize } from "../detection/checked-size.ts";
import type { ObjectNetwork } from "../network.ts";
import type { ObjectBlueprint } from "../network/blueprint.ts";
import { type CreateNetworkOptions, instantiateObjects } from "../network/instantiate.ts";
import type { LayerContext } from "../network/layer.ts";
import { normalizeBands } from "../network/layers.ts";
import type { ParameterSpec } from "../network/parameter-spec.ts";
import { type FasterRCNNConfig, type ResolvedFasterRCNNConfig, resolveFasterRCNNConfig } from "./config.ts";
import { detectBoxes } from "./detect.ts";
import { BOX_CLASSES, type RegionLayers, regionLayers } from "./layers.ts";
import { boxLosses, proposalLosses, trainingRois } from "./losses.ts";
import type { RcnnOutputs } from "./outputs.ts";
import { proposalsOf } from "./proposals.ts";

/** The encoder halves an image five times; the pyramid doubles maps exactly. */
export const STRIDE = 32;

/**
 * A Faster R-CNN for object detection, as torchvision builds it: a feature pyramid over an encoder, a network that proposes boxes, and a head that
 * tells their class and moves them. `startEngine` must have finished.
 *
 * Images are `[N, height, width, bands]` with the pixel values of the raster; `normalization` is applied inside. Height and width are multiples of 32
 * and need not be equal. The parts of the loss are `objectness` and `proposals` (whether an anchor is an object, and where that is),
 * `classification` and `boxes` (the same of proposals, by class), each a mean over a sample of the batch.
 *
 * @throws INVALID_ARGUMENT for a configuration that cannot be built. The network itself throws BANDS_MISMATCH and
 * CHIP_SIZE_NOT_DIVISIBLE.
 *
 * @example
 * const network = createFasterRCNN({ bands: 3, classes: 90, backbone: "resnet50" }, { seed: 7 }); // 41,808,406 trainable parameters
 */
export function createFasterRCNN(config: FasterRCNNConfig, options: CreateNetworkOptions = {}): ObjectNetwork<RcnnOutputs> {
  return instantiateObjects(fasterRCNNBlueprint(config), options);
}

/** Parameters and layers of a Faster R-CNN, without weights. */
export function fasterRCNNBlueprint(config: FasterRCNNConfig): ObjectBlueprint<RcnnOutputs> {
  const modelType = "faster-rcnn";
  const resolved = resolveFasterRCNNConfig(config);
  const parameters: ParameterSpec[] = [];
  const layers = regionLayers(resolved, parameters);
  return {
    ...{ task: "objectDetection", modelType, config: resolved, parameters, bands: resolved.bands, classes: resolved.classes },
    ...{ stride: STRIDE, bandLayer: layers.bandLayer, classLayer: BOX_CLASSES, detections: resolved.detections },
    forward: (images, context) => firstStage(modelType, images, context, layers, resolved),
    losses(outputs, truth, seed = constant(0, [], "int32") as tf.Scalar) {
      const rois = trainingRois(outputs.proposals, truth, resolved, seed);
      return { ...proposalLosses(outputs, truth, resolved, seed), ...boxLosses(outputs, rois, layers) };
    },
    decode: (outputs, options) => detectBoxes(outputs, layers, options),
  };
}

/** Raw pixels to proposals. */
export function firstStage(
  modelType: string,
  images: tf.Tensor4D,
  context: LayerContext,
  layers: RegionLayers,
  config: ResolvedFasterRCNNConfig,
): RcnnOutputs {
  const { normalization, bands } = config;
  const image = checkedSize(images, { modelType, bands, stride: STRIDE });
  const maps = layers.maps(normalization === null ? images : normalizeBands(images, normalization), context);
  const found = { ...layers.regions(maps, context), image, context };
  return { maps, ...found, proposals: proposalsOf(found, config) };
}
