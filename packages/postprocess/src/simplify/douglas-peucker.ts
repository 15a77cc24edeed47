/** Douglas and Peucker 1973, "Algorithms for the reduction of the number of points required to represent a digitized line". */

import type { SimplifyPlan } from "../polygonize/plan.ts";

/**
 * Marks in `keep` the points `from` up to but not including `to` that stay, both ends among them: every other one lies within
 * `tolerance` of the segment that replaces it. A tolerance of 0 keeps all. Point k is at 2k and 2k + 1 of `points`.
 */
export function douglasPeucker(
  points: Int32Array,
  from: number,
  to: number,
  tolerance: number,
  metric: SimplifyPlan["metric"],
  keep: Uint8Array,
): void {
  if (tolerance <= 0 || to - from <= 2) {
    keep.fill(1, from, to);
    return;
  }
  keep.fill(0, from, to);
  keep[from] = keep[to - 1] = 1;
  const [xx, xy, yx, yy] = metric;
  const limit = tolerance * tolerance;
  const stack = [from, to - 1];
  while (stack.length > 0) {
    const b = stack.pop()!;
    const a = stack.pop()!;
    const [x0, y0] = [points[2 * a]!, points[2 * a + 1]!];
    const dx = xx * (points[2 * b]! - x0) + xy * (points[2 * b + 1]! - y0);
    const dy = yx * (points[2 * b]! - x0) + yy * (points[2 * b + 1]! - y0);
    const length = dx * dx + dy * dy;
    let far = -1;
    let most = limit;
    for (let k = a + 1; k < b; k++) {
      const [x, y] = [points[2 * k]! - x0, points[2 * k + 1]! - y0];
      const px = xx * x + xy * y;
      const py = yx * x + yy * y;
      const along = length === 0 ? 0 : Math.min(1, Math.max(0, (px * dx + py * dy) / length));
      const distance = (px - along * dx) ** 2 + (py - along * dy) ** 2;
      if (distance > most) {
        most = distance;
        far = k;
      }
    }
    if (far === -1) continue;
    keep[far] = 1;
    stack.push(a, far, far, b);
  }
}
