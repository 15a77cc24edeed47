/** What an estimated label shift means: on the ground, and in words. */

import { applyAffine, metresPerUnit } from "@geolearn/core";

import type { Chip } from "../chips/chip.ts";
import type { ShiftEstimate } from "./label-shift.ts";

/** The label shift, also on the ground. */
export interface LabelShift extends ShiftEstimate {
  /** Length of the shift in metres on the ground, or null without a reference system. */
  readonly metres: number | null;
  /** How far the labels lie east and north of where they fit best, metres on the ground; null without a reference system. */
  readonly east: number | null;
  readonly north: number | null;
  /**
   * `"fits"`: labels and image agree as they are; `"shifted"`: they agree clearly better elsewhere, a pixel away or more;
   * `"unclear"`: no place stands out.
   */
  readonly verdict: "fits" | "shifted" | "unclear";
}

/** A best place stands out from this many deviations on. */
const CREDIBLE = 4;
/** A better place is clearly better by this factor. */
const CLEARLY = 1.1;

/** The estimate as it is seen on the ground around a chip, with a verdict. */
export function judgeShift(estimate: ShiftEstimate, chip: Pick<Chip, "transform" | "crs" | "width" | "height">): LabelShift {
  const { dx, dy, confidence, correlation, correlationAsIs, atLimit } = estimate;
  const credible = !atLimit && confidence >= CREDIBLE;
  const shifted = Math.hypot(dx, dy) >= 1 && correlation > CLEARLY * correlationAsIs;
  const [east, north] = onGround(dx, dy, chip) ?? [null, null];
  return {
    ...estimate,
    metres: east === null || north === null ? null : Math.hypot(east, north),
    east,
    north,
    verdict: !credible ? "unclear" : shifted ? "shifted" : "fits",
  };
}

/** Metres the labels lie east and north of where a move by `dx`, `dy` pixels would put them. */
function onGround(
  dx: number,
  dy: number,
  { transform, crs, width, height }: Pick<Chip, "transform" | "crs" | "width" | "height">,
): [east: number, north: number] | null {
  if (transform === null || crs === null) return null;
  const [x, y] = applyAffine(transform, width / 2, height / 2);
  const [movedX, movedY] = applyAffine(transform, width / 2 + dx, height / 2 + dy);
  const scale = metresPerUnit(crs, x, y);
  return [(x - movedX) * scale.x, (y - movedY) * scale.y];
}

/** The verdict in words: `labels seem shifted by 3.2 m east`. */
export function shiftText(shift: LabelShift | null): string {
  if (shift === null) return "whether the labels fit cannot be told: too few label edges, or an even image";
  const { dx, dy, east, north, confidence, verdict } = shift;
  if (verdict === "unclear") return "whether the labels fit cannot be told: no place stands out";
  if (verdict === "fits") return `labels fit: best at shift ${places(dx)},${places(dy)}`;
  const way =
    east === null || north === null
      ? components([-dx, "right", "left"], [-dy, "down", "up"], "pixels")
      : components([east, "east", "west"], [north, "north", "south"], "m");
  return `labels seem shifted by ${way} (confidence ${confidence.toFixed(1)})`;
}

type Component = readonly [size: number, ahead: string, back: string];

/** Both components, or the one that makes up nearly all of the way. */
function components(one: Component, other: Component, unit: string): string {
  const largest = Math.max(Math.abs(one[0]), Math.abs(other[0]));
  return [one, other]
    .filter(([size]) => Math.abs(size) >= 0.1 * largest)
    .map(([size, ahead, back]) => `${places(Math.abs(size))} ${unit} ${size > 0 ? ahead : back}`)
    .join(" and ");
}

/** One decimal, fewer where it says nothing; no -0. */
function places(value: number): string {
  return String(Math.round(value * 10) / 10 + 0);
}
