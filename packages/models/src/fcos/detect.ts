/** From what an FCOS says of its points to objects: torchvision's `postprocess_detections`. */

import { constant } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";

import { boxesAround, centredAnchors, withinImage } from "../detection/boxes.ts";
import { suppress } from "../detection/suppress.ts";
import type { DecodeOptions, Detections } from "../network.ts";
import type { FcosOutputs } from "./outputs.ts";
import { cellLevels } from "./points.ts";

/** Best pairs of point and class of a level that are looked at. */
const LEVEL_CANDIDATES = 1000;

/** The best pairs of point and class are candidates; the score is the root of the class's times the centre-ness. */
export function detectAtPoints({ logits, boxes, centreness, image }: FcosOutputs, options: Required<DecodeOptions>): Detections {
  const levels = cellLevels(image).map((cells, i) => bestOf(cells, { logits: logits[i]!, boxes: boxes[i]!, centreness: centreness[i]! }));
  const all = (key: keyof (typeof levels)[number]): tf.Tensor => tf.concat(levels.map((level) => level[key]), 1); // prettier-ignore
  return suppress(
    {
      boxes: withinImage(all("boxes") as tf.Tensor3D, image),
      scores: all("scores") as tf.Tensor2D,
      classIndices: all("classIndices") as tf.Tensor2D,
    },
    options,
    image,
  );
}

interface Level {
  readonly logits: tf.Tensor3D;
  readonly boxes: tf.Tensor3D;
  readonly centreness: tf.Tensor3D;
}

function bestOf(cells: Float32Array, { logits, boxes, centreness }: Level) {
  const [n, count, classes] = logits.shape;
  const pairs = tf.reshape(tf.sqrt(tf.mul(tf.sigmoid(logits), tf.sigmoid(centreness))), [n, count * classes]) as tf.Tensor2D;
  const { values, indices } = tf.topk(pairs, Math.min(LEVEL_CANDIDATES, count * classes), true);
  const perPoint = constant(classes, [], "int32");
  const at = tf.floorDiv(indices, perPoint);
  const { centre, size } = centredAnchors(cells);
  return {
    boxes: boxesAround(tf.gather(boxes, at, 1, 1), { centre: tf.gather(centre, at), size: tf.gather(size, at) }),
    scores: values,
    classIndices: tf.sub(indices, tf.mul(at, perPoint)),
  };
}
