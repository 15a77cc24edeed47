/** How well the anchors of a detector fit the boxes it is to learn, and sizes that fit better. */

import type { BoxArray } from "@geolearn/core";

import { resolveFasterRCNNConfig, resolveMaskRCNNConfig } from "../rcnn/config.ts";
import { resolveRetinaNetConfig } from "../retinanet/config.ts";
import { anchorBoxes, anchorSides, type Grid, type LevelAnchors, pyramidGrids } from "./anchors.ts";
import { PYRAMID_LEVELS } from "./detector-config.ts";

/** Sizes of anchors that fit some boxes, and how well. */
export interface FittedAnchors {
  /** Side of the anchors of each of the five maps, in pixels, the finest map first. */
  readonly sizes: readonly number[];
  /** Share of the boxes that an anchor overlaps by half or more: with the anchors of the configuration. */
  readonly before: number;
  /** The same with these sizes. */
  readonly after: number;
}

/** Overlap from which an anchor fits. */
const FITS = 0.5;
/** Smallest side of the finest anchors that is tried, in pixels, and how many are tried in each octave, over how many octaves. */
const [LEAST, STEPS, OCTAVES] = [4, 4, 6];

/**
 * Sizes for a detector with a pyramid, from the boxes it is to learn. Each map's anchors are twice as large as those of the map before; of starts from 4 to 256
 * pixels, a quarter of an octave apart and rounded to whole pixels, the one is taken with the most boxes that an anchor overlaps by half or more, and of
 * equal ones that with the greatest mean overlap. Scales and ratios are those of the configuration.
 *
 * @param boxes xmin, ymin, xmax, ymax of each box, in pixels of the image
 * @returns null for a network whose anchors have no sizes, and without boxes
 *
 * @example
 * fitAnchors("retinanet", { bands: 3, classes: 1 }, { width: 256, height: 256 }, Float32Array.of(100, 100, 110, 112))!.sizes; // begin near 10 pixels
 */
export function fitAnchors(
  modelType: string,
  config: Readonly<Record<string, unknown>>,
  image: Grid,
  boxes: BoxArray,
): FittedAnchors | null {
  const pyramid = pyramidOf(modelType, config);
  if (pyramid === null || boxes.length === 0) return null;
  const grids = pyramidGrids(image, pyramid.finest);
  const overlapWith = (sizes: readonly number[]): Fit => fitOf(boxes, pyramid.levelsOf(sizes), grids, image);
  let best: { readonly sizes: readonly number[]; readonly fit: Fit } | null = null;
  for (let step = 0; step <= STEPS * OCTAVES; step++) {
    const first = Math.round(LEAST * 2 ** (step / STEPS));
    const sizes = Array.from({ length: PYRAMID_LEVELS }, (_, level) => first * 2 ** level);
    const fit = overlapWith(sizes);
    if (best === null || fit.share > best.fit.share || (fit.share === best.fit.share && fit.mean > best.fit.mean)) best = { sizes, fit };
  }
  return { sizes: best!.sizes, before: overlapWith(pyramid.sizes).share, after: best!.fit.share };
}

interface Pyramid {
  /** How many times smaller than the image the finest map is. */
  readonly finest: number;
  readonly sizes: readonly number[];
  readonly levelsOf: (sizes: readonly number[]) => readonly LevelAnchors[];
}

function pyramidOf(modelType: string, config: Readonly<Record<string, unknown>>): Pyramid | null {
  if (modelType === "retinanet") {
    const { sizes, scales, ratios } = resolveRetinaNetConfig(config as never).anchors;
    return { finest: 8, sizes, levelsOf: (all) => all.map((size) => ({ sides: anchorSides(size, scales), ratios })) };
  }
  if (modelType !== "faster-rcnn" && modelType !== "mask-rcnn") return null;
  const resolve = modelType === "mask-rcnn" ? resolveMaskRCNNConfig : resolveFasterRCNNConfig;
  const { sizes, ratios } = resolve(config as never).anchors;
  return { finest: 4, sizes, levelsOf: (all) => all.map((size) => ({ sides: [Math.trunc(size)], ratios })) };
}

interface Fit {
  /** Share of the boxes with an anchor that fits. */
  readonly share: number;
  /** Mean overlap of each box with its best anchor. */
  readonly mean: number;
}

function fitOf(boxes: BoxArray, levels: readonly LevelAnchors[], grids: readonly Grid[], image: Grid): Fit {
  // The anchors of a cell at the origin; those of the other cells are moved.
  const cells = levels.map((level) => anchorBoxes(level, { height: 1, width: 1 }, image));
  const count = boxes.length / 4;
  let [fitting, sum] = [0, 0];
  for (let i = 0; i < count; i++) {
    const overlap = bestOverlap(boxes.subarray(4 * i, 4 * i + 4), cells, grids, image);
    if (overlap >= FITS) fitting++;
    sum += overlap;
  }
  return { share: fitting / count, mean: sum / count };
}

/** Greatest overlap (intersection over union) of a box with an anchor. Of anchors of one shape it is that of the cell whose middle lies nearest. */
function bestOverlap(box: BoxArray, cells: readonly Float32Array[], grids: readonly Grid[], image: Grid): number {
  const [xmin, ymin, xmax, ymax] = box as unknown as [number, number, number, number];
  const area = (xmax - xmin) * (ymax - ymin);
  let best = 0;
  for (const [level, cell] of cells.entries()) {
    const x = nearest((xmin + xmax) / 2, image.width, grids[level]!.width);
    const y = nearest((ymin + ymax) / 2, image.height, grids[level]!.height);
    for (let a = 0; a < cell.length; a += 4) {
      const [left, top, right, bottom] = [x + cell[a]!, y + cell[a + 1]!, x + cell[a + 2]!, y + cell[a + 3]!];
      const common = Math.max(0, Math.min(xmax, right) - Math.max(xmin, left)) * Math.max(0, Math.min(ymax, bottom) - Math.max(ymin, top));
      best = Math.max(best, common / (area + (right - left) * (bottom - top) - common));
    }
  }
  return best;
}

/** The middle of the nearest cell's anchors along a side. */
function nearest(at: number, side: number, cells: number): number {
  const step = Math.floor(side / cells);
  return step * Math.min(cells - 1, Math.max(0, Math.round(at / step)));
}
