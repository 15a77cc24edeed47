/** SingleShotDetector: raw pixel values in, boxes with classes and scores out. */

import { GeoLearnError } from "@geolearn/core";
import { constant } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";

import { centredAnchors, decodeBoxes } from "../detection/boxes.ts";
import { suppress } from "../detection/suppress.ts";
import type { DecodeOptions, Detections, ObjectNetwork } from "../network.ts";
import type { ObjectBlueprint } from "../network/blueprint.ts";
import { instantiateObjects, type CreateNetworkOptions } from "../network/instantiate.ts";
import { normalizeBands } from "../network/layers.ts";
import type { ParameterSpec } from "../network/parameter-spec.ts";
import { defaultBoxes } from "./anchors.ts";
import { type ResolvedSSDConfig, resolveSSDConfig, type SSDConfig } from "./config.ts";
import { ssdLayers } from "./layers.ts";
import { BOX_SCALE, ssdLosses } from "./losses.ts";
import { checkImage } from "./maps.ts";
import type { SSDOutputs } from "./outputs.ts";

const MODEL_TYPE = "ssd";
/** Of each variant: best anchors of a class that are looked at, and objects found on an image unless told. */
const FOUND = { standard: { candidates: 400, detections: 200 }, lite: { candidates: 300, detections: 300 } } as const;

/**
 * A SingleShotDetector for object detection: torchvision's `SSD` on any encoder, with further maps by convolutions of stride 2 behind it. `variant: "lite"` is its
 * SSDLite. `startEngine` must have finished.
 *
 * Images are `[N, height, width, bands]` with the pixel values of the raster; `normalization` is applied inside. Sides are at least 32 pixels, of any size and
 * form; anchors are shares of them. The parts of the loss are `classification` and `boxes`, both divided by the anchors of the batch that stand for an object.
 * An image without objects adds nothing to them, as in the paper.
 *
 * @throws INVALID_ARGUMENT for a configuration that cannot be built, and for images that are too small. The network itself throws BANDS_MISMATCH.
 *
 * @example
 * const network = createSSD({ bands: 3, classes: 90, variant: "lite" }, { seed: 7 }); // 3,440,060 trainable parameters, as torchvision's with its 91
 */
export function createSSD(config: SSDConfig, options: CreateNetworkOptions = {}): ObjectNetwork<SSDOutputs> {
  return instantiateObjects(ssdBlueprint(config), options);
}

/** Parameters and layers of a SingleShotDetector, without weights. */
export function ssdBlueprint(config: SSDConfig): ObjectBlueprint<SSDOutputs> {
  const resolved = resolveSSDConfig(config);
  const parameters: ParameterSpec[] = [];
  const { normalization, bands, classes, variant } = resolved;
  const { layers, bandLayer, classLayer } = ssdLayers(resolved, parameters);
  return {
    task: "objectDetection",
    modelType: MODEL_TYPE,
    config: resolved,
    parameters,
    bands,
    classes,
    stride: 1,
    bandLayer,
    classLayer,
    detections: FOUND[variant].detections,
    forward(images, context) {
      const [, height, width, given] = images.shape;
      if (given !== bands) throw wrongBands(given, bands);
      const image = { height, width };
      checkImage(image);
      return { ...layers(normalization === null ? images : normalizeBands(images, normalization), context), image };
    },
    losses: (outputs, truth) => ssdLosses(outputs, truth, resolved),
    decode: (outputs, options) => decode(outputs, options, resolved),
  };
}

function decode({ logits, boxes, grids, image }: SSDOutputs, options: Required<DecodeOptions>, config: ResolvedSSDConfig): Detections {
  const { classes, variant } = config;
  const scores = tf.softmax(tf.concat(logits as tf.Tensor3D[], 1));
  const [n, count] = scores.shape;
  const byClass = tf.transpose(tf.slice(scores, [0, 0, 1], [n, count, classes]), [0, 2, 1]);
  const kept = Math.min(FOUND[variant].candidates, count);
  const { values, indices } = tf.topk(byClass, kept, true);
  const candidates = classes * kept;
  const at = tf.reshape(indices, [n, candidates]) as tf.Tensor2D;
  const { centre, size } = centredAnchors(defaultBoxes(config, grids, image));
  const own = { centre: tf.gather(centre, at), size: tf.gather(size, at) };
  const classIndices = Int32Array.from({ length: n * candidates }, (_, i) => Math.floor((i % candidates) / kept));
  const found = {
    boxes: decodeBoxes(tf.gather(tf.concat(boxes as tf.Tensor3D[], 1), at, 1, 1), own, image, BOX_SCALE),
    scores: tf.reshape(values, [n, candidates]) as tf.Tensor2D,
    classIndices: constant(classIndices, [n, candidates]) as tf.Tensor2D,
  };
  return suppress(found, options, image);
}

function wrongBands(given: number, expected: number): GeoLearnError {
  return new GeoLearnError("BANDS_MISMATCH", `The ${MODEL_TYPE} network got images of ${given} bands, it was made for ${expected}.`, {
    hint: "Choose the bands the network was trained on, in the same order.",
    data: { given, expected },
  });
}
