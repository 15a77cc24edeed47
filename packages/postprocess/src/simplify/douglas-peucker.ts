/** Douglas and Peucker 1973, "Algorithms for the reduction of the number of points required to represent a digitized line". */

import type { SimplifyPlan } from "../polygonize/plan.ts";

/**
 * Indices of the points to keep, both ends included: every point left out lies within `tolerance` of the segment that
 * replaces it. A tolerance of 0 keeps all.
 */
export function douglasPeucker(points: Int32Array, tolerance: number, [xx, xy, yx, yy]: SimplifyPlan["metric"]): Uint32Array {
  const n = points.length / 2;
  if (tolerance <= 0 || n <= 2) return Uint32Array.from({ length: n }, (_, k) => k);
  const xs = new Float64Array(n);
  const ys = new Float64Array(n);
  for (let k = 0; k < n; k++) {
    const [x, y] = [points[2 * k]! - points[0]!, points[2 * k + 1]! - points[1]!];
    xs[k] = xx * x + xy * y;
    ys[k] = yx * x + yy * y;
  }
  const keep = new Uint8Array(n);
  keep[0] = keep[n - 1] = 1;
  const limit = tolerance * tolerance;
  const stack = [0, n - 1];
  while (stack.length > 0) {
    const to = stack.pop()!;
    const from = stack.pop()!;
    const dx = xs[to]! - xs[from]!;
    const dy = ys[to]! - ys[from]!;
    const length = dx * dx + dy * dy;
    let far = -1;
    let most = limit;
    for (let k = from + 1; k < to; k++) {
      const px = xs[k]! - xs[from]!;
      const py = ys[k]! - ys[from]!;
      const along = length === 0 ? 0 : Math.min(1, Math.max(0, (px * dx + py * dy) / length));
      const distance = (px - along * dx) ** 2 + (py - along * dy) ** 2;
      if (distance > most) {
        most = distance;
        far = k;
      }
    }
    if (far === -1) continue;
    keep[far] = 1;
    stack.push(from, far, far, to);
  }
  let count = 0;
  for (const kept of keep) count += kept;
  const out = new Uint32Array(count);
  for (let k = 0, i = 0; k < n; k++) if (keep[k] === 1) out[i++] = k;
  return out;
}
