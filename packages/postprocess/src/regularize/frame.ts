/** The plane in which footprints are regularized: metres on the ground where the coordinates are none. */

import { type Bounds, type Crs, GeoLearnError, type Length, createTransformer, localMetricCrs, metresPerUnit } from "@geolearn/core";

/** A plane and the way there and back. */
export interface Frame {
  readonly toPlane: (x: number, y: number) => readonly [number, number];
  readonly fromPlane: (x: number, y: number) => readonly [number, number];
  /** A length in units of the plane. */
  readonly size: (length: Length) => number;
}

/** Degrees between the middles of planes: on an eleventh of a degree the scale changes by less than 1e-6. */
const STEP = 0.1;
/** Axes whose scales differ by more than this are not taken as they are. */
const CONFORMAL = 1e-3;

/** Planes for places of a reference system, made once for all places nearby. */
export class Frames {
  readonly #crs: Crs | null;
  readonly #made = new Map<string, Frame>();

  constructor(crs: Crs | null) {
    this.#crs = crs;
  }

  /** @throws CRS_OUT_OF_RANGE */
  at(x: number, y: number): Frame {
    const crs = this.#crs;
    if (crs === null) return { ...same, size: ({ value }) => value };
    const step = crs.geographic ? STEP : 10_000 / crs.metresPerUnit;
    const [column, row] = [Math.round(x / step), Math.round(y / step)];
    const key = `${column} ${row}`;
    let frame = this.#made.get(key);
    if (frame === undefined) {
      frame = makeFrame(crs, column * step, row * step);
      if (this.#made.size > 1000) this.#made.clear();
      this.#made.set(key, frame);
    }
    return frame;
  }

  /** A box with a margin on all sides; as it is where the system has no metres. */
  around(box: Bounds, margin: Length): Bounds {
    if (!box.every(Number.isFinite)) return box;
    try {
      const { toPlane, fromPlane, size } = this.at(box[0], box[1]);
      const far = size(margin);
      const [low, high] = [toPlane(box[0], box[1]), toPlane(box[2], box[3])];
      return [...fromPlane(low[0] - far, low[1] - far), ...fromPlane(high[0] + far, high[1] + far)];
    } catch (error) {
      if (GeoLearnError.is(error, "CRS_OUT_OF_RANGE")) return box;
      throw error;
    }
  }
}

const same = {
  toPlane: (x: number, y: number): readonly [number, number] => [x, y],
  fromPlane: (x: number, y: number): readonly [number, number] => [x, y],
};

function makeFrame(crs: Crs, x: number, y: number): Frame {
  const scale = metresPerUnit(crs, x, y);
  const mean = Math.sqrt(scale.x * scale.y);
  if (!crs.geographic && Math.abs(scale.x / scale.y - 1) < CONFORMAL) {
    return { ...same, size: ({ value, unit }) => (unit === "crs" ? value : value / mean) };
  }
  const metric = localMetricCrs(crs, x, y);
  const there = createTransformer(crs, metric, { accuracy: "ballpark" });
  const back = createTransformer(metric, crs, { accuracy: "ballpark" });
  return {
    toPlane: there,
    fromPlane(px, py) {
      const [bx, by] = back(px, py);
      // longitudes stay on the side of 180 degrees they came from
      return crs.geographic ? [bx + 360 * Math.round((x - bx) / 360), by] : [bx, by];
    },
    size: ({ value, unit }) => (unit === "crs" ? value * mean : value),
  };
}
