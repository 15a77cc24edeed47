/** CenterMask: raw pixel values in, boxes with classes, scores and masks out, without anchors or proposals. */

import { constant } from "@geolearn/engine";
import type * as tf from "@tensorflow/tfjs";

import { checkedSize } from "../detection/checked-size.ts";
import { detectAtPoints } from "../fcos/detect.ts";
import { STRIDE } from "../fcos/fcos.ts";
import { CLASS_LAYER, fcosLayers } from "../fcos/layers.ts";
import { pointLosses } from "../fcos/losses.ts";
import type { FcosOutputs } from "../fcos/outputs.ts";
import type { ObjectNetwork } from "../network.ts";
import type { ObjectBlueprint } from "../network/blueprint.ts";
import { type CreateNetworkOptions, instantiateObjects } from "../network/instantiate.ts";
import { normalizeBands } from "../network/layers.ts";
import type { ParameterSpec } from "../network/parameter-spec.ts";
import { detectMasks } from "../rcnn/detect.ts";
import type { Pyramid } from "../rcnn/heads.ts";
import { MASK_CLASSES, maskLayers } from "../rcnn/layers.ts";
import { maskLoss, masksOf } from "../rcnn/losses.ts";
import { type CenterMaskConfig, resolveCenterMaskConfig } from "./config.ts";
import { objectRois } from "./rois.ts";

/** Outputs of an FCOS, and the maps masks are cut out of: those at an 8th to a 32nd of the image. */
export interface CenterMaskOutputs extends FcosOutputs, Pyramid {}

/** Maps boxes are cut out of. */
const MASK_LEVELS = 3;

/**
 * A CenterMask for instance segmentation (Lee and Park 2020, https://arxiv.org/abs/1911.06667, without its attention): an FCOS (see `createFCOS`) with the
 * mask head of a Mask R-CNN, which draws the outline of each object on a grid of 28 x 28 points over its box. `startEngine` must have finished.
 *
 * The mask head learns from the boxes of the objects themselves, and is used on the boxes that were found. Truths must have masks, and the parts of the loss
 * have `masks` beside those of an FCOS.
 *
 * @throws INVALID_ARGUMENT for a configuration that cannot be built, and for truths without masks. The network itself throws BANDS_MISMATCH and
 * CHIP_SIZE_NOT_DIVISIBLE.
 *
 * @example
 * const network = createCenterMask({ bands: 3, classes: 90, backbone: "resnet50" }, { seed: 7 }); // 34,966,522 trainable parameters
 */
export function createCenterMask(config: CenterMaskConfig, options: CreateNetworkOptions = {}): ObjectNetwork<CenterMaskOutputs> {
  return instantiateObjects(centerMaskBlueprint(config), options);
}

/** Parameters and layers of a CenterMask, without weights. */
export function centerMaskBlueprint(config: CenterMaskConfig): ObjectBlueprint<CenterMaskOutputs> {
  const modelType = "centermask";
  const resolved = resolveCenterMaskConfig(config);
  const { bands, classes, normalization, detections, rois } = resolved;
  const parameters: ParameterSpec[] = [];
  const layers = fcosLayers(resolved, parameters);
  const maskLayer = maskLayers(resolved, parameters);
  return {
    ...{ task: "instanceSegmentation", modelType, config: resolved, parameters, bands, classes },
    ...{ stride: STRIDE, bandLayer: layers.bandLayer, classLayer: [CLASS_LAYER, MASK_CLASSES], detections },
    forward(images, context) {
      const image = checkedSize(images, { modelType, bands, stride: STRIDE });
      const maps = layers.maps(normalization === null ? images : normalizeBands(images, normalization), context);
      return { ...layers.heads(maps, context), image, maps: maps.slice(0, MASK_LEVELS), context };
    },
    losses(outputs, truth, seed = constant(0, [], "int32") as tf.Scalar) {
      const masks = masksOf(truth, "A CenterMask", "an FCOS");
      return {
        ...pointLosses(outputs, truth, resolved),
        masks: maskLoss(outputs, objectRois(truth, rois, seed), masks, maskLayer),
      };
    },
    decode(outputs, options) {
      const found = detectAtPoints(outputs, options);
      return { ...found, masks: detectMasks(outputs, found, maskLayer) };
    },
  };
}
