/** RetinaNet: raw pixel values in, boxes with classes and scores out. */

import { constant } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";

import { anchorBoxes, anchorSides, type Grid, joined, pyramidGrids } from "../detection/anchors.ts";
import { centredAnchors, decodeBoxes, encodeBoxes } from "../detection/boxes.ts";
import { checkedSize } from "../detection/checked-size.ts";
import { absoluteSum, focalSum } from "../detection/losses.ts";
import { matchAnchors } from "../detection/match.ts";
import { suppress } from "../detection/suppress.ts";
import type { DecodeOptions, Detections, ObjectNetwork, ObjectTargets } from "../network.ts";
import type { ObjectBlueprint } from "../network/blueprint.ts";
import { instantiateObjects, type CreateNetworkOptions } from "../network/instantiate.ts";
import { normalizeBands } from "../network/layers.ts";
import type { ParameterSpec } from "../network/parameter-spec.ts";
import { type ResolvedRetinaNetConfig, resolveRetinaNetConfig, type RetinaNetConfig } from "./config.ts";
import { CLASS_LAYER, retinaNetLayers } from "./layers.ts";
import type { RetinaNetOutputs } from "./outputs.ts";

const MODEL_TYPE = "retinanet";
/** The encoder halves an image five times; the pyramid doubles maps exactly. */
const STRIDE = 32;
/** Overlaps from which an anchor is an object, and below which it is background. */
const MATCHING = { foreground: 0.5, background: 0.4 };
/** Best anchors of a level that are looked at. */
const LEVEL_CANDIDATES = 1000;

/**
 * A RetinaNet for object detection, as torchvision builds it: a feature pyramid over an encoder, anchors on five levels, focal loss and absolute
 * differences of boxes. `startEngine` must have finished.
 *
 * Images are `[N, height, width, bands]` with the pixel values of the raster; `normalization` is applied inside. Height and width are multiples of 32
 * and need not be equal. The parts of the loss are `classification` and `boxes`, each divided by the anchors of an image that stand for an
 * object and averaged over images.
 *
 * @throws INVALID_ARGUMENT for a configuration that cannot be built. The network itself throws BANDS_MISMATCH and
 * CHIP_SIZE_NOT_DIVISIBLE.
 *
 * @example
 * const network = createRetinaNet({ bands: 3, classes: 91, backbone: "resnet50" }, { seed: 7 }); // 34,068,119 trainable parameters
 */
export function createRetinaNet(config: RetinaNetConfig, options: CreateNetworkOptions = {}): ObjectNetwork<RetinaNetOutputs> {
  return instantiateObjects(retinaNetBlueprint(config), options);
}

/** Parameters and layers of a RetinaNet, without weights. */
export function retinaNetBlueprint(config: RetinaNetConfig): ObjectBlueprint<RetinaNetOutputs> {
  const resolved = resolveRetinaNetConfig(config);
  const parameters: ParameterSpec[] = [];
  const { normalization, bands, classes } = resolved;
  const { layers, bandLayer } = retinaNetLayers(resolved, parameters);
  return {
    task: "objectDetection",
    modelType: MODEL_TYPE,
    config: resolved,
    parameters,
    bands,
    classes,
    stride: STRIDE,
    bandLayer,
    classLayer: CLASS_LAYER,
    forward(images, context) {
      const image = checkedSize(images, { modelType: MODEL_TYPE, bands, stride: STRIDE });
      const levels = layers(normalization === null ? images : normalizeBands(images, normalization), context);
      return { logits: levels.map(({ logits }) => logits), boxes: levels.map(({ boxes }) => boxes), image };
    },
    losses: (outputs, truth) => losses(outputs, truth, resolved),
    decode: (outputs, options) => decode(outputs, options, resolved),
  };
}

/** Anchors of each level for images of a size. */
export function anchorLevels({ anchors }: ResolvedRetinaNetConfig, image: Grid): readonly Float32Array[] {
  return pyramidGrids(image).map((grid, i) =>
    anchorBoxes({ sides: anchorSides(anchors.sizes[i]!, anchors.scales), ratios: anchors.ratios }, grid, image),
  );
}

function losses(
  { logits, boxes, image }: RetinaNetOutputs,
  truth: ObjectTargets,
  config: ResolvedRetinaNetConfig,
): Readonly<Record<"classification" | "boxes", tf.Scalar>> {
  const anchors = joined(anchorLevels(config, image));
  const matches = matchAnchors(anchors, truth, MATCHING);
  const [n] = matches.foreground.shape;
  // Of each image: one over the anchors that stand for an object and over the images.
  const share = tf.div(1 / n, tf.maximum(tf.sum(matches.foreground, 1, true), 1));
  const counted = tf.mul<tf.Tensor2D>(matches.counted, share);
  const classNumbers = constant(Int32Array.from({ length: config.classes }, (_, k) => k), [1, 1, config.classes]); // prettier-ignore
  let first = 0;
  const parts = logits.map((level) => {
    const count = level.shape[1];
    const part = <T extends tf.Tensor>(x: tf.Tensor2D): T => tf.slice(x, [0, first], [n, count]) as tf.Tensor as T;
    const stands = tf.equal(tf.expandDims(part<tf.Tensor2D>(matches.classIndices), 2), classNumbers); // tf.oneHot wants two classes
    const targets = tf.cast(stands, "float32") as tf.Tensor3D;
    const sum = focalSum(level, targets, tf.expandDims<tf.Tensor3D>(part(counted), 2));
    first += count;
    return sum;
  });
  const difference = tf.sub(tf.concat(boxes as tf.Tensor3D[], 1), encodeBoxes(matches.boxes, centredAnchors(anchors)));
  const weights = tf.expandDims<tf.Tensor3D>(tf.mul(matches.foreground, share), 2);
  return { classification: tf.addN(parts), boxes: absoluteSum(difference as tf.Tensor3D, weights) };
}

function decode({ logits, boxes, image }: RetinaNetOutputs, options: Required<DecodeOptions>, config: ResolvedRetinaNetConfig): Detections {
  const anchors = anchorLevels(config, image);
  const levels = logits.map((level, i) => bestOf(level, boxes[i]!, anchors[i]!, config.classes));
  const candidates = {
    boxes: decodeBoxes(
      tf.concat(levels.map(({ told }) => told), 1),
      { centre: tf.concat(levels.map(({ centre }) => centre), 1), size: tf.concat(levels.map(({ size }) => size), 1) },
      image,
    ), // prettier-ignore
    scores: tf.concat(levels.map(({ scores }) => scores), 1), // prettier-ignore
    classIndices: tf.concat(levels.map(({ classIndices }) => classIndices), 1), // prettier-ignore
  };
  return suppress(candidates, options, image);
}

/** The best pairs of anchor and class of a level. */
function bestOf(logits: tf.Tensor3D, boxes: tf.Tensor3D, anchors: Float32Array, classes: number) {
  const [n, count] = logits.shape;
  const pairs = tf.reshape(logits, [n, count * classes]);
  const { values, indices } = tf.topk(pairs, Math.min(LEVEL_CANDIDATES, count * classes), true);
  const perAnchor = constant(classes, [], "int32");
  const at = tf.floorDiv(indices, perAnchor);
  const { centre, size } = centredAnchors(anchors);
  return {
    told: tf.gather(boxes, at, 1, 1),
    centre: tf.gather(centre, at),
    size: tf.gather(size, at),
    scores: tf.sigmoid(values) as tf.Tensor2D,
    classIndices: tf.sub(indices, tf.mul(at, perAnchor)) as tf.Tensor2D,
  };
}
