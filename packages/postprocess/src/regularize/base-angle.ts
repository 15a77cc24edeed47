/** The direction a building's walls run in: candidates from chords of the outline, then the least squares of a division. */

import { type Outline, runMoments } from "./outline.ts";
import { scatter } from "./moments.ts";
import type { Run } from "./runs.ts";

const BINS = 60;
/** Peaks lower than this share of the highest are no candidates. */
const LEAST_PEAK = 0.4;
const QUARTER = Math.PI / 2;

/**
 * Angles from 0 to a right angle around which chords of about `chord` gather, the strongest first. Chords, not edges: the edges
 * of an outline traced from a raster all run along the raster.
 */
export function candidateAngles({ count, px, py, length }: Outline, chord: number, most: number): number[] {
  const bins = new Float64Array(BINS);
  let end = 0;
  for (let k = 0; k < count; k++) {
    while (end < k + count - 1 && length[end]! - length[k]! < chord) end++;
    const dx = px[end]! - px[k]!;
    const dy = py[end]! - py[k]!;
    const square = dx * dx + dy * dy;
    if (!(square > 0)) continue;
    // a chord around a corner is shorter than the way along the outline: it counts less
    const way = length[end]! - length[k]!;
    const straight = square / (way * way);
    const at = (((Math.atan2(dy, dx) / QUARTER) % 1) + 1) * BINS;
    bins[Math.floor(at) % BINS]! += (length[k + 1]! - length[k]!) * straight * straight;
  }
  const smooth = bins.map((_, k) => {
    let sum = 0;
    for (let d = -3; d <= 3; d++) sum += (4 - Math.abs(d)) * bins[(k + d + BINS) % BINS]!;
    return sum;
  });
  const peaks: number[] = [];
  const order = Array.from(smooth.keys()).sort((a, b) => smooth[b]! - smooth[a]! || a - b);
  for (const bin of order) {
    if (peaks.length === most || smooth[bin]! < LEAST_PEAK * smooth[order[0]!]!) break;
    if (peaks.every((peak) => Math.min(Math.abs(peak - bin), BINS - Math.abs(peak - bin)) > 5)) peaks.push(bin);
  }
  return peaks.map((bin) => ((bin + 0.5) / BINS) * QUARTER);
}

/**
 * The angle at which the squared distances of all runs with a direction from their lines are least: every run is turned back by its
 * direction, then one line's angle fits them all. `pull` sums up cos and sin of twice that angle, so that outlines can share it.
 */
export function runScatter(outline: Outline, runs: readonly Run[], directions: number): readonly [cos: number, sin: number] {
  let [cos, sin] = [0, 0];
  for (const { from, to, direction } of runs) {
    if (direction === -1) continue;
    const [xx, xy, yy] = scatter(runMoments(outline, from, to));
    const turn = (2 * (direction * 2 * Math.PI)) / directions;
    const [c, s] = [xx - yy, 2 * xy];
    cos += c * Math.cos(turn) + s * Math.sin(turn);
    sin += s * Math.cos(turn) - c * Math.sin(turn);
  }
  return [cos, sin];
}

/** The angle of summed {@link runScatter}s, the one of its half turns that is nearest to `base`; `base` where they say nothing. */
export function scatterAngle([cos, sin]: readonly [number, number], base: number): number {
  if (cos === 0 && sin === 0) return base;
  const angle = Math.atan2(sin, cos) / 2;
  return angle + Math.PI * Math.round((base - angle) / Math.PI);
}
