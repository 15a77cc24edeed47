/** Mask R-CNN: raw pixel values in, boxes with classes, scores and masks out. */

import { constant } from "@geolearn/engine";
import type * as tf from "@tensorflow/tfjs";

import type { ObjectNetwork } from "../network.ts";
import type { ObjectBlueprint } from "../network/blueprint.ts";
import { type CreateNetworkOptions, instantiateObjects } from "../network/instantiate.ts";
import type { ParameterSpec } from "../network/parameter-spec.ts";
import { type MaskRCNNConfig, resolveMaskRCNNConfig } from "./config.ts";
import { detectBoxes, detectMasks } from "./detect.ts";
import { firstStage, STRIDE } from "./faster-rcnn.ts";
import { BOX_CLASSES, MASK_CLASSES, maskLayers, regionLayers } from "./layers.ts";
import { boxLosses, maskLoss, masksOf, proposalLosses, trainingRois } from "./losses.ts";
import type { RcnnOutputs } from "./outputs.ts";

/**
 * A Mask R-CNN for instance segmentation, as torchvision builds it: a Faster R-CNN (see `createFasterRCNN`) with a head that draws the outline of each
 * object on a grid of 28 x 28 points over its box. `startEngine` must have finished.
 *
 * Truths must have masks, and the parts of the loss have `masks` beside those of a Faster R-CNN.
 *
 * @throws INVALID_ARGUMENT for a configuration that cannot be built, and for truths without masks. The network itself throws BANDS_MISMATCH and
 * CHIP_SIZE_NOT_DIVISIBLE.
 *
 * @example
 * const network = createMaskRCNN({ bands: 3, classes: 90, backbone: "resnet50" }, { seed: 7 }); // 44,454,513 trainable parameters
 */
export function createMaskRCNN(config: MaskRCNNConfig, options: CreateNetworkOptions = {}): ObjectNetwork<RcnnOutputs> {
  return instantiateObjects(maskRCNNBlueprint(config), options);
}

/** Parameters and layers of a Mask R-CNN, without weights. */
export function maskRCNNBlueprint(config: MaskRCNNConfig): ObjectBlueprint<RcnnOutputs> {
  const modelType = "mask-rcnn";
  const resolved = resolveMaskRCNNConfig(config);
  const parameters: ParameterSpec[] = [];
  const layers = regionLayers(resolved, parameters);
  const maskLayer = maskLayers(resolved, parameters);
  return {
    ...{ task: "instanceSegmentation", modelType, config: resolved, parameters, bands: resolved.bands, classes: resolved.classes },
    ...{ stride: STRIDE, bandLayer: layers.bandLayer, classLayer: [BOX_CLASSES, MASK_CLASSES], detections: resolved.detections },
    forward: (images, context) => firstStage(modelType, images, context, layers, resolved),
    losses(outputs, truth, seed = constant(0, [], "int32") as tf.Scalar) {
      const masks = masksOf(truth, "A Mask R-CNN", "a Faster R-CNN");
      const rois = trainingRois(outputs.proposals, truth, resolved, seed);
      return {
        ...proposalLosses(outputs, truth, resolved, seed),
        ...boxLosses(outputs, rois, layers),
        masks: maskLoss(outputs, rois, masks, maskLayer),
      };
    },
    decode(outputs, options) {
      const found = detectBoxes(outputs, layers, options);
      return { ...found, masks: detectMasks(outputs, found, maskLayer) };
    },
  };
}
