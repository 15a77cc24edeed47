/** Where the chip of a feature lies: cut as exports of chips around features cut them. */

import { type Affine, applyAffine, type Feature, GeoLearnError, invertAffine, type Window } from "@geolearn/core";

type Geometry = NonNullable<Feature["geometry"]>;

/** A grid and how chips are cut out of it. */
export interface CutRule {
  readonly mode: "fixedSize" | "boundingBox";
  readonly chipWidth: number;
  readonly chipHeight: number;
  /** Pixel to world. */
  readonly transform: Affine;
  readonly width: number;
  readonly height: number;
  /** Pixels around a feature's box at a place of the world; only for boxes. */
  readonly margin: (x: number, y: number) => { readonly x: number; readonly y: number };
}

/** Edges this close to a pixel border lie on it: positions are divided by the pixel size and lose their last digits. */
const NEAR = 1e-6;
/** Longest side of a chip, pixels. */
const LONGEST = 8192;

/**
 * The window of a feature in pixels of the grid; null where it lies outside. Of a fixed size: with the middle of the feature's box in its middle,
 * moved inside the grid where that is large enough. Of a bounding box: the box, with its margin, cut at the grid's border.
 *
 * @throws LIMIT_EXCEEDED for a box that is larger than a chip can be
 */
export function featureWindow(geometry: Geometry | null, rule: CutRule): Window | null {
  const box = geometry === null ? null : pixelBox(geometry, rule);
  if (box === null) return null;
  const { mode, chipWidth, chipHeight, width, height } = rule;
  const [left, top, right, bottom] = [Math.max(0, box[0]), Math.max(0, box[1]), Math.min(width, box[2]), Math.min(height, box[3])];
  // Points and upright lines have no width; what only touches the border from outside does not lie on the grid.
  const meets = (from: number, to: number, a: number, b: number, length: number): boolean => (a === b ? a >= 0 && a < length : to > from);
  if (!meets(left, right, box[0], box[2], width) || !meets(top, bottom, box[1], box[3], height)) return null;
  if (mode === "fixedSize") {
    const col = centred((box[0] + box[2]) / 2, chipWidth, width);
    const row = centred((box[1] + box[3]) / 2, chipHeight, height);
    return { col, row, width: chipWidth, height: chipHeight };
  }
  const [col, row] = [Math.floor(left + NEAR), Math.floor(top + NEAR)];
  const window = { col, row, width: Math.max(1, Math.ceil(right - NEAR) - col), height: Math.max(1, Math.ceil(bottom - NEAR) - row) };
  if (window.width <= LONGEST && window.height <= LONGEST) return window;
  throw new GeoLearnError(
    "LIMIT_EXCEEDED",
    `A feature is ${window.width} x ${window.height} pixels large; a chip may have ${LONGEST} a side.`,
    {
      hint: 'Use `cropMode: "fixedSize"`, or a larger `cellSize`.',
      data: { width: window.width, height: window.height },
    },
  );
}

function centred(middle: number, chip: number, length: number): number {
  return Math.max(0, Math.min(Math.round(middle - chip / 2), length - chip));
}

/** The box around a geometry in pixels, with its margin. */
function pixelBox(geometry: Geometry, { transform, margin, mode }: CutRule): [number, number, number, number] | null {
  const toPixel = invertAffine(transform);
  let [xmin, ymin, xmax, ymax] = [Infinity, Infinity, -Infinity, -Infinity];
  eachPosition(geometry, ([x, y]) => {
    const [col, row] = applyAffine(toPixel, x!, y!);
    [xmin, ymin, xmax, ymax] = [Math.min(xmin, col), Math.min(ymin, row), Math.max(xmax, col), Math.max(ymax, row)];
  });
  if (!(xmin <= xmax && ymin <= ymax)) return null;
  if (mode === "fixedSize") return [xmin, ymin, xmax, ymax];
  const [x, y] = applyAffine(transform, (xmin + xmax) / 2, (ymin + ymax) / 2);
  const around = margin(x, y);
  return [xmin - around.x, ymin - around.y, xmax + around.x, ymax + around.y];
}

function eachPosition(geometry: Geometry, visit: (position: readonly number[]) => void): void {
  if (geometry.type === "GeometryCollection") {
    for (const part of geometry.geometries) eachPosition(part, visit);
    return;
  }
  const walk = (list: unknown): void => {
    const all = list as unknown[];
    if (typeof all[0] === "number") visit(all as number[]);
    else for (const part of all) walk(part);
  };
  if (geometry.coordinates.length > 0) walk(geometry.coordinates);
}
