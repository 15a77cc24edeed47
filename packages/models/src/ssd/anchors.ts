/** The boxes a SingleShotDetector starts from: torchvision's `DefaultBoxGenerator` to the bit, or the cells of grids. */

import type { Grid } from "../detection/anchors.ts";
import { isGrids, type ResolvedSSDConfig } from "./config.ts";

/** Sides of a box as shares of the image's. */
type Shape = readonly [width: number, height: number];

const { fround } = Math;

/** Boxes of one cell of a map. */
export function anchorsPerCell({ anchors }: ResolvedSSDConfig, map: number): number {
  return isGrids(anchors) ? anchors.zooms.length * anchors.ratios.length : 2 + 2 * anchors.ratios[map]!.length;
}

/**
 * Boxes `[cells * anchors, 4]` (xmin, ymin, xmax, ymax, in pixels) of all maps, the first map first: row by row, those of a cell together. They may reach over
 * the border of the image.
 */
export function defaultBoxes(config: ResolvedSSDConfig, grids: readonly Grid[], image: Grid): Float32Array {
  const shapes = grids.map((_, map) => shapesOf(config, map));
  const boxes = new Float32Array(4 * grids.reduce((sum, { height, width }, i) => sum + height * width * shapes[i]!.length, 0));
  let at = 0;
  for (const [map, grid] of grids.entries()) {
    for (let row = 0; row < grid.height; row++) {
      const y = fround((row + 0.5) / grid.height);
      for (let column = 0; column < grid.width; column++) {
        const x = fround((column + 0.5) / grid.width);
        for (const [width, height] of shapes[map]!) {
          const [halfWidth, halfHeight] = [fround(0.5 * width), fround(0.5 * height)];
          boxes[at++] = fround(x - halfWidth) * image.width;
          boxes[at++] = fround(y - halfHeight) * image.height;
          boxes[at++] = fround(x + halfWidth) * image.width;
          boxes[at++] = fround(y + halfHeight) * image.height;
        }
      }
    }
  }
  return boxes;
}

/** Shapes of the boxes of each cell of a map, in float32. */
function shapesOf({ anchors }: ResolvedSSDConfig, map: number): readonly Shape[] {
  if (isGrids(anchors)) {
    const cells = anchors.grids[map]!;
    return anchors.zooms.flatMap((zoom) =>
      anchors.ratios!.map(([height, width]): Shape => [fround((zoom * width) / cells), fround((zoom * height) / cells)]),
    );
  }
  const side = anchors.scales[map]!;
  const between = Math.sqrt(side * anchors.scales[map + 1]!);
  const squares: Shape[] = [
    [side, side],
    [between, between],
  ];
  const others = anchors.ratios[map]!.flatMap((ratio): Shape[] => {
    const [long, short] = [side * Math.sqrt(ratio), side / Math.sqrt(ratio)];
    return [
      [long, short],
      [short, long],
    ];
  });
  return [...squares, ...others].map(([width, height]) => [Math.min(1, fround(width)), Math.min(1, fround(height))]);
}
