/** Lines that footprints take their direction from, such as roads: the one nearest to each, as Esri's alignment feature. */

import { type Crs, type Features, GeoLearnError, reprojectFeatures, sameCrs } from "@geolearn/core";
import Flatbush from "flatbush";
import { ringBox } from "./adjoining.ts";
import type { Frame } from "./frame.ts";
import { ringDistance } from "./ring-distance.ts";

/** The direction of a line in radians, from 0 to a right angle, and how far from the footprint the line is. */
export interface LineDirection {
  readonly angle: number;
  readonly distance: number;
}

const QUARTER = Math.PI / 2;

/** The segments of lines, found by place. */
export class AlignmentLines {
  /** x, y of both ends of each segment. */
  readonly #segments: readonly (readonly [number, number, number, number])[];
  readonly #index: Flatbush;

  /**
   * @param crs - of the footprints, which the lines are brought to
   * @throws INVALID_ARGUMENT when there is no line; CRS_MISSING when one of both names no system
   */
  constructor(lines: Features, crs: Crs | null) {
    this.#segments = inSystem(lines, crs).features.flatMap(({ geometry }) => {
      if (geometry?.type === "LineString") return segmentsOf(geometry.coordinates);
      return geometry?.type === "MultiLineString" ? geometry.coordinates.flatMap(segmentsOf) : [];
    });
    if (this.#segments.length === 0)
      throw new GeoLearnError("INVALID_ARGUMENT", `\`alignment\` ${lines.name} holds no lines.`, {
        hint: "Give lines, such as roads, or an angle in degrees.",
        data: { field: "alignment", value: lines },
      });
    this.#index = new Flatbush(this.#segments.length);
    for (const [ax, ay, bx, by] of this.#segments) this.#index.add(Math.min(ax, bx), Math.min(ay, by), Math.max(ax, bx), Math.max(ay, by));
    this.#index.finish();
  }

  /**
   * Directions of the segments nearest to a ring in a plane, the nearest first: all that are no more than `doubt` farther than
   * that. None when none is within `reach`, or so far away that it has no place in the plane.
   */
  near(ring: Float64Array, frame: Frame, reach: number, doubt: number): LineDirection[] {
    try {
      return this.#near(ring, frame, reach, doubt);
    } catch (error) {
      if (GeoLearnError.is(error, "CRS_OUT_OF_RANGE")) return [];
      throw error;
    }
  }

  #near(ring: Float64Array, frame: Frame, reach: number, doubt: number): LineDirection[] {
    const [xmin, ymin, xmax, ymax] = ringBox(ring);
    const [x, y] = frame.fromPlane((xmin + xmax) / 2, (ymin + ymax) / 2);
    const guess = this.#direction(this.#index.neighbors(x, y, 1)[0]!, ring, frame);
    // no segment that matters is farther than this
    const far = Math.min(reach, guess.distance) + doubt;
    const corners = [frame.fromPlane(xmin - far, ymin - far), frame.fromPlane(xmax + far, ymin - far)];
    corners.push(frame.fromPlane(xmin - far, ymax + far), frame.fromPlane(xmax + far, ymax + far));
    const [left, low, right, high] = ringBox(Float64Array.from(corners.flat()));
    const found = this.#index
      .search(left, low, right, high)
      .sort((a, b) => a - b)
      .map((segment) => this.#direction(segment, ring, frame))
      .filter(({ distance }) => distance <= reach)
      .sort((a, b) => a.distance - b.distance);
    return found.filter(({ distance }) => distance <= found[0]!.distance + doubt);
  }

  #direction(segment: number, ring: Float64Array, { toPlane }: Frame): LineDirection {
    const [x1, y1, x2, y2] = this.#segments[segment]!;
    const [ax, ay] = toPlane(x1, y1);
    const [bx, by] = toPlane(x2, y2);
    return { angle: inQuarter(Math.atan2(by - ay, bx - ax)), distance: ringDistance(ring, ax, ay, bx, by) };
  }
}

/** An angle without its quarter turns: from 0 to a right angle. */
export function inQuarter(angle: number): number {
  return angle - QUARTER * Math.floor(angle / QUARTER);
}

function inSystem(lines: Features, crs: Crs | null): Features {
  if (crs === null && lines.crs === null) return lines;
  if (crs === null)
    throw new GeoLearnError("CRS_MISSING", `The footprints name no reference system, but \`alignment\` ${lines.name} does.`, {
      hint: "Name the system of the footprints when reading them, such as `crs: 32633`.",
    });
  return lines.crs !== null && sameCrs(lines.crs, crs) ? lines : reprojectFeatures(lines, crs);
}

function segmentsOf(line: readonly number[][]): [number, number, number, number][] {
  return line.slice(1).flatMap(([bx, by], k): [number, number, number, number][] => {
    const [ax, ay] = line[k]!;
    const isSegment = (ax !== bx || ay !== by) && [ax, ay, bx, by].every(Number.isFinite);
    return isSegment ? [[ax!, ay!, bx!, by!]] : [];
  });
}
