/** Anchors: boxes of given sizes and forms around each cell of a map, torchvision's `AnchorGenerator` to the bit. */

import { PYRAMID_LEVELS } from "./detector-config.ts";

/** Anchors of one level of a pyramid. */
export interface LevelAnchors {
  /** Sides of a square anchor, in pixels of the image; whole numbers. */
  readonly sides: readonly number[];
  /** Height over width. */
  readonly ratios: readonly number[];
}

/** Rows and columns of a map. */
export interface Grid {
  readonly height: number;
  readonly width: number;
}

/** The numbers of all levels in one array. */
export function joined(levels: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(levels.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const level of levels) {
    all.set(level, at);
    at += level.length;
  }
  return all;
}

/** The maps of a pyramid, down to a 32nd of the image as its encoder has them, then each half of the one before; five in all. */
export function pyramidGrids(image: Grid, finest = 8): readonly Grid[] {
  const grids: Grid[] = [];
  for (let stride = finest; stride <= 32; stride *= 2) grids.push({ height: image.height / stride, width: image.width / stride });
  while (grids.length < PYRAMID_LEVELS) {
    const { height, width } = grids.at(-1)!;
    grids.push({ height: Math.ceil(height / 2), width: Math.ceil(width / 2) });
  }
  return grids;
}

/** Sides an octave is divided into: `size * scale`, cut to whole pixels as torchvision does. */
export function anchorSides(size: number, scales: readonly number[]): readonly number[] {
  return scales.map((scale) => Math.trunc(size * scale));
}

/**
 * Boxes `[cells * anchors, 4]` (xmin, ymin, xmax, ymax) of a level: row by row, in a cell by ratio and then by side. They may reach over the border
 * of the image.
 */
export function anchorBoxes({ sides, ratios }: LevelAnchors, grid: Grid, image: Grid): Float32Array {
  const cell = ratios.flatMap((ratio) => sides.map((side) => centredBox(side, ratio)));
  const [rowStep, columnStep] = [Math.floor(image.height / grid.height), Math.floor(image.width / grid.width)];
  const boxes = new Float32Array(grid.height * grid.width * cell.length * 4);
  let at = 0;
  for (let row = 0; row < grid.height; row++) {
    for (let column = 0; column < grid.width; column++) {
      for (const [halfWidth, halfHeight] of cell) {
        boxes[at++] = column * columnStep - halfWidth;
        boxes[at++] = row * rowStep - halfHeight;
        boxes[at++] = column * columnStep + halfWidth;
        boxes[at++] = row * rowStep + halfHeight;
      }
    }
  }
  return boxes;
}

/** Half the sides of an anchor, whole numbers; computed in float32 as torchvision does. */
function centredBox(side: number, ratio: number): readonly [halfWidth: number, halfHeight: number] {
  const height = Math.fround(Math.sqrt(Math.fround(ratio)));
  const width = Math.fround(1 / height);
  const half = (factor: number): number => roundHalfEven(Math.fround(factor * side) / 2);
  return [half(width), half(height)];
}

/** A half goes to the even neighbour, as in PyTorch. */
function roundHalfEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  if (rest !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1;
}
