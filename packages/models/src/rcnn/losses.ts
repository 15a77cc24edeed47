/** What an R-CNN learns from: torchvision's losses of proposals, classes, boxes and masks. */

import { GeoLearnError } from "@geolearn/core";
import { constant, roiAlign, softmaxCrossEntropy } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";

import { joined } from "../detection/anchors.ts";
import { centredAnchors, centredBoxes, encodeBoxes } from "../detection/boxes.ts";
import { detached } from "../detection/detached.ts";
import { logisticSum, smoothSum } from "../detection/losses.ts";
import { existing, matchAnchors, matchBoxes } from "../detection/match.ts";
import type { ObjectTargets } from "../network.ts";
import type { Layer } from "../network/layer.ts";
import type { ResolvedFasterRCNNConfig } from "./config.ts";
import { featuresOf, masksByClass, ofClass, type Pyramid } from "./heads.ts";
import { BOX_BINS, MASK_BINS, type RegionLayers } from "./layers.ts";
import type { RcnnOutputs } from "./outputs.ts";
import { anchorLevels } from "./proposals.ts";
import { compacted, sampleBalanced } from "./samples.ts";

/** Overlaps from which an anchor is an object, and below which it is background. */
const ANCHOR_MATCHING = { foreground: 0.7, background: 0.3 };
const PROPOSAL_MATCHING = { foreground: 0.5, background: 0.5 };
/** Shares of objects in a sample, at most. */
const ANCHOR_SHARE = 0.5;
const PROPOSAL_SHARE = 0.25;
/** Where the smooth absolute difference turns from a square to a line. */
const BETA = 1 / 9;
/** How much larger than they are the box head tells shifts and growths. */
export const BOX_SCALE = { shift: 10, growth: 5 };
/** Draws of one step. */
const ANCHOR_DRAW = 1;
const PROPOSAL_DRAW = 2;

/** Loss of the proposal network: which anchors are objects, and where these really are. */
export function proposalLosses(
  { objectness, deltas, image }: Pick<RcnnOutputs, "objectness" | "deltas" | "image">,
  truth: ObjectTargets,
  config: ResolvedFasterRCNNConfig,
  seed: tf.Scalar,
): Readonly<Record<"objectness" | "proposals", tf.Scalar>> {
  const anchors = joined(anchorLevels(config, image));
  const matches = matchAnchors(anchors, truth, ANCHOR_MATCHING);
  const pools = { positives: matches.foreground, negatives: tf.sub<tf.Tensor2D>(matches.counted, matches.foreground) };
  const { indices, weights, positiveRoom } = sampleBalanced(pools, {
    ...{ count: config.rpnSamples, share: ANCHOR_SHARE, seed, id: ANCHOR_DRAW },
  });
  const each = tf.div(weights, tf.maximum(tf.sum(weights), 1));
  const [n] = indices.shape;
  const first = <T extends tf.Tensor>(x: T): T => tf.slice(x, [0, 0], [n, positiveRoom]) as T;
  const logits = tf.gather(tf.concat(objectness as tf.Tensor2D[], 1), indices, 1, 1);
  const targets = tf.gather(matches.foreground, indices, 1, 1);
  const positives = first(indices);
  const centred = centredAnchors(anchors);
  const own = { centre: tf.gather(centred.centre, positives), size: tf.gather(centred.size, positives) };
  const wanted = encodeBoxes(tf.gather(matches.boxes, positives, 1, 1), own);
  const told = tf.gather(tf.concat(deltas as tf.Tensor3D[], 1), positives, 1, 1);
  return {
    objectness: logisticSum(logits, targets, each),
    proposals: smoothSum(tf.sub(told, wanted), tf.expandDims(first(each), 2), BETA),
  };
}

/** Proposals of each image the heads learn from. */
export interface TrainingRois {
  /** `[N, R, 4]`; those that do not count are a pixel. */
  readonly boxes: tf.Tensor3D;
  /** `[N, R]`: 1 where a box counts. */
  readonly weights: tf.Tensor2D;
  /** int32 `[N, R]`: 0 for background, else one more than the position of the class. */
  readonly labels: tf.Tensor2D;
  /** int32 `[N, R]`: the slot of the object it overlaps most. */
  readonly slots: tf.Tensor2D;
  /** `[N, R, 4]`: the object's box; its own without an object. */
  readonly wanted: tf.Tensor3D;
  /** Boxes of objects are among so many first ones. */
  readonly positiveRoom: number;
}

/** Matches proposals and the objects themselves with the objects, and draws a sample. */
export function trainingRois(
  proposals: tf.Tensor3D,
  truth: ObjectTargets,
  { rois }: ResolvedFasterRCNNConfig,
  seed: tf.Scalar,
): TrainingRois {
  const candidates = tf.concat([proposals, existing(truth)], 1);
  const [n, count] = candidates.shape;
  const corner = (at: number): tf.Tensor => tf.slice(candidates, [0, 0, at], [n, count, 2]);
  const there = tf.cast(tf.all(tf.greater(corner(2), corner(0)), 2), "float32") as tf.Tensor2D;
  const matches = matchBoxes(candidates, truth, PROPOSAL_MATCHING);
  const pools = {
    positives: tf.mul<tf.Tensor2D>(matches.foreground, there),
    negatives: tf.mul<tf.Tensor2D>(tf.sub(1, matches.foreground), there),
  };
  const drawn = compacted(sampleBalanced(pools, { count: rois, share: PROPOSAL_SHARE, seed, id: PROPOSAL_DRAW }), rois);
  const { indices, weights, positiveRoom } = drawn;
  const counts = tf.expandDims(tf.greater(weights, 0), 2);
  const pixel = constant(Float32Array.of(0, 0, 1, 1), [1, 1, 4]);
  const picked = <T extends tf.Tensor>(x: T): T => tf.gather(x, indices, 1, 1);
  return {
    boxes: tf.where(counts, picked(candidates), pixel) as tf.Tensor3D,
    wanted: tf.where(counts, picked(matches.boxes), pixel) as tf.Tensor3D,
    weights,
    labels: tf.add(picked(matches.classIndices), constant(1, [], "int32")) as tf.Tensor2D,
    slots: picked(matches.slots),
    positiveRoom,
  };
}

/** Loss of the box head: which class, and where the box of that class really is. */
export function boxLosses(
  outputs: RcnnOutputs,
  { boxes, wanted, weights, labels }: TrainingRois,
  layers: RegionLayers,
): Readonly<Record<"classification" | "boxes", tf.Scalar>> {
  const { logits, told } = layers.boxes(featuresOf(outputs, boxes, BOX_BINS), outputs.context);
  const [rows, classes] = logits.shape;
  const flat = tf.reshape(labels, [rows]) as tf.Tensor1D;
  const each = tf.div(tf.reshape(weights, [rows]), tf.maximum(tf.sum(weights), 1));
  const objects = tf.mul(each, tf.cast(tf.greater(flat, 0), "float32"));
  const target = tf.reshape(encodeBoxes(wanted, centredBoxes(boxes), BOX_SCALE), [rows, 4]);
  const difference = tf.sub(ofClass(tf.reshape(told, [rows, classes, 4]), flat), target);
  return {
    classification: tf.sum(tf.mul(softmaxCrossEntropy(logits, flat, { reduction: "none" }), each)) as tf.Scalar,
    boxes: smoothSum(difference, tf.expandDims(objects, 1), BETA),
  };
}

/** The masks a network learns from. @throws INVALID_ARGUMENT where the objects have none */
export function masksOf({ masks }: ObjectTargets, network: string, otherwise: string): tf.Tensor4D {
  if (masks !== undefined) return masks;
  throw new GeoLearnError("INVALID_ARGUMENT", `${network} learns from masks, and the objects have none.`, {
    hint: `Prepare the chips with \`task: "instanceSegmentation"\`, or use ${otherwise}.`,
  });
}

/** Loss of the mask head: of boxes that stand for an object, which of its points belong to it. */
export function maskLoss(outputs: Pyramid, rois: Omit<TrainingRois, "wanted">, masks: tf.Tensor4D, layer: Layer): tf.Scalar {
  const { positiveRoom } = rois;
  const [n] = rois.labels.shape;
  const first = <T extends tf.Tensor>(x: T): T => tf.slice(x, [0, 0], [n, positiveRoom]) as T;
  const rows = n * positiveRoom;
  const [boxes, labels] = [first(rois.boxes), tf.reshape(first(rois.labels), [rows]) as tf.Tensor1D];
  const weights = tf.mul(tf.reshape(first(rois.weights), [rows]), tf.cast(tf.greater(labels, 0), "float32"));
  const logits = ofClass(masksByClass(layer(featuresOf(outputs, boxes, MASK_BINS), outputs.context)), labels);
  const points = logits.shape[1]!;
  const targets = tf.reshape(maskTargets(masks, boxes, first(rois.slots)), [rows, points]);
  const each = tf.div(weights, tf.mul(tf.maximum(tf.sum(weights), 1), points));
  return logisticSum(logits, targets, tf.expandDims(each, 1));
}

/** The masks of objects inside boxes `[N, R, 4]`, as `[N * R, 28, 28, 1]`; image by image, so that few masks are spread to floats at a time. */
function maskTargets(masks: tf.Tensor4D, boxes: tf.Tensor3D, slots: tf.Tensor2D): tf.Tensor4D {
  const [n, objects, height, width] = masks.shape;
  const count = boxes.shape[1];
  return detached(() => {
    const images = Array.from({ length: n }, (_, i) => {
      const own = tf.cast(tf.reshape(tf.slice(masks, [i, 0, 0, 0], [1, objects, height, width]), [objects, height, width, 1]), "float32");
      const row = <T extends tf.Tensor>(x: tf.Tensor, ...rest: number[]): T => tf.reshape(tf.slice(x, [i], [1]), [count, ...rest]) as T;
      const side = 2 * MASK_BINS;
      return roiAlign(own as tf.Tensor4D, row<tf.Tensor2D>(boxes, 4), row<tf.Tensor1D>(slots), {
        ...{ size: [side, side], samplingRatio: "adaptive", aligned: false },
      });
    });
    return tf.concat(images, 0);
  });
}
