/** FCOS: raw pixel values in, boxes with classes and scores out, without anchors. */

import type { ObjectNetwork } from "../network.ts";
import { checkedSize } from "../detection/checked-size.ts";
import type { ObjectBlueprint } from "../network/blueprint.ts";
import { type CreateNetworkOptions, instantiateObjects } from "../network/instantiate.ts";
import { normalizeBands } from "../network/layers.ts";
import type { ParameterSpec } from "../network/parameter-spec.ts";
import { type FCOSConfig, resolveFCOSConfig } from "./config.ts";
import { detectAtPoints } from "./detect.ts";
import { CLASS_LAYER, fcosLayers } from "./layers.ts";
import { pointLosses } from "./losses.ts";
import type { FcosOutputs } from "./outputs.ts";

/** The encoder halves an image five times; the pyramid doubles maps exactly. */
export const STRIDE = 32;

/**
 * An FCOS for object detection, as torchvision builds it: a feature pyramid over an encoder, and at each cell of five maps whether an object lies there,
 * how far its borders are, and how near its middle is. `startEngine` must have finished.
 *
 * Images are `[N, height, width, bands]` with the pixel values of the raster; `normalization` is applied inside. Height and width are multiples of 32
 * and need not be equal. The parts of the loss are `classification` (focal), `boxes` (generalized intersection over union) and `centreness`, each
 * divided by the points of the batch that stand for an object.
 *
 * @throws INVALID_ARGUMENT for a configuration that cannot be built. The network itself throws BANDS_MISMATCH and
 * CHIP_SIZE_NOT_DIVISIBLE.
 *
 * @example
 * const network = createFCOS({ bands: 3, classes: 91, backbone: "resnet50" }, { seed: 7 }); // 32,322,720 trainable parameters
 */
export function createFCOS(config: FCOSConfig, options: CreateNetworkOptions = {}): ObjectNetwork<FcosOutputs> {
  return instantiateObjects(fcosBlueprint(config), options);
}

/** Parameters and layers of an FCOS, without weights. */
export function fcosBlueprint(config: FCOSConfig): ObjectBlueprint<FcosOutputs> {
  const modelType = "fcos";
  const resolved = resolveFCOSConfig(config);
  const { bands, classes, normalization } = resolved;
  const parameters: ParameterSpec[] = [];
  const layers = fcosLayers(resolved, parameters);
  return {
    ...{ task: "objectDetection", modelType, config: resolved, parameters, bands, classes },
    ...{ stride: STRIDE, bandLayer: layers.bandLayer, classLayer: CLASS_LAYER },
    forward(images, context) {
      const image = checkedSize(images, { modelType, bands, stride: STRIDE });
      const maps = layers.maps(normalization === null ? images : normalizeBands(images, normalization), context);
      return { ...layers.heads(maps, context), image };
    },
    losses: (outputs, truth) => pointLosses(outputs, truth, resolved),
    decode: (outputs, options) => detectAtPoints(outputs, options),
  };
}
