/** Where an FCOS looks: a point for each cell of each map, and which object it stands for. */

import { constant } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";

import { anchorBoxes, type Grid, joined, pyramidGrids } from "../detection/anchors.ts";
import { existing } from "../detection/match.ts";
import type { ObjectTargets } from "../network.ts";

/** Sides of the cells of each map, in pixels: what distances are measured in. */
const CELLS = [8, 16, 32, 64, 128];
/** How many cells from the middle of an object a point may be. */
const RADIUS = 1.5;
/** Area of an object that must not be chosen. */
const NEVER = 1e30;

/** The cells of each level for images of a size, as boxes `[points, 4]` around their points: torchvision's anchors of an FCOS. */
export function cellLevels(image: Grid): readonly Float32Array[] {
  return pyramidGrids(image).map((grid, i) => anchorBoxes({ sides: [CELLS[i]!], ratios: [1] }, grid, image));
}

/** What each point of each image stands for. */
export interface PointMatches {
  /** int32 `[N, points]`: position of the class; -1 without an object. */
  readonly classIndices: tf.Tensor2D;
  /** `[N, points]`: 1 where a point stands for an object. */
  readonly foreground: tf.Tensor2D;
  /** `[N, points, 4]`: the object's box; the cell itself without an object. */
  readonly boxes: tf.Tensor3D;
}

/**
 * A point stands for an object it lies in, near its middle, if the farthest border is as far as its level is for; of several for the smallest, of equal
 * ones for the first. Slots that are empty or whose box has no area do not exist. torchvision compares areas in float32 beside 1e8, where those within 8
 * square pixels are equal; here they are compared as they are.
 */
export function matchPoints(levels: readonly Float32Array[], truth: ObjectTargets, objectSizes: readonly number[]): PointMatches {
  const boxes = existing(truth);
  const [n, objects] = truth.classIndices.shape;
  const side = (i: number): tf.Tensor => tf.slice(boxes, [0, 0, i], [n, objects, 1]);
  const [left, top, right, bottom] = [side(0), side(1), side(2), side(3)];
  const { x, y, reach, above, below } = pointsOf(levels, objectSizes);

  const borders = [tf.sub(x, left), tf.sub(y, top), tf.sub(right, x), tf.sub(bottom, y)] as const;
  const least = tf.minimum(tf.minimum(borders[0], borders[1]), tf.minimum(borders[2], borders[3]));
  const farthest = tf.maximum(tf.maximum(borders[0], borders[1]), tf.maximum(borders[2], borders[3]));
  const off = (at: tf.Tensor, low: tf.Tensor, high: tf.Tensor): tf.Tensor => tf.abs(tf.sub(at, tf.mul(tf.add(low, high), 0.5)));
  const near = tf.less(tf.maximum(off(x, left, right), off(y, top, bottom)), reach);
  const fits = tf.logicalAnd(tf.greater(farthest, above), tf.less(farthest, below));
  const match = tf.logicalAnd(tf.logicalAnd(tf.greater(least, 0), near), fits);

  const area = tf.mul(tf.sub(right, left), tf.sub(bottom, top));
  const slots = tf.argMin(tf.where(match, area, NEVER), 1) as tf.Tensor2D;
  const found = tf.any(match, 1) as tf.Tensor2D;
  const classes = tf.gather(truth.classIndices, slots, 1, 1);
  const cells = joined(levels);
  return {
    classIndices: tf.where(found, classes, tf.fill(classes.shape, -1, "int32")) as tf.Tensor2D,
    foreground: tf.cast(found, "float32") as tf.Tensor2D,
    boxes: tf.where(tf.expandDims(found, 2), tf.gather(boxes, slots, 1, 1), constant(cells, [1, cells.length / 4, 4])) as tf.Tensor3D,
  };
}

/** Numbers of each point, `[1, 1, points]`. */
interface Points {
  readonly x: tf.Tensor;
  readonly y: tf.Tensor;
  /** How far from the middle of an object it may be. */
  readonly reach: tf.Tensor;
  /** How far the farthest border of its object is: between these. */
  readonly above: tf.Tensor;
  readonly below: tf.Tensor;
}

function pointsOf(levels: readonly Float32Array[], objectSizes: readonly number[]): Points {
  const numbers = (of: (cell: Float32Array, level: number) => number): tf.Tensor => {
    const each = levels.map((cells, level) =>
      Float32Array.from({ length: cells.length / 4 }, (_, i) => of(cells.subarray(4 * i, 4 * i + 4), level)),
    );
    const all = joined(each);
    return constant(all, [1, 1, all.length]);
  };
  return {
    x: numbers((cell) => (cell[0]! + cell[2]!) / 2),
    y: numbers((cell) => (cell[1]! + cell[3]!) / 2),
    reach: numbers((_, level) => RADIUS * CELLS[level]!),
    above: numbers((_, level) => objectSizes[level - 1] ?? 0),
    below: numbers((_, level) => objectSizes[level] ?? Infinity),
  };
}
