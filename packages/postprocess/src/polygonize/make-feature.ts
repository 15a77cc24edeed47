/** From rings of pixel corners to features in world coordinates. */

import type { Feature } from "@geolearn/core";

import type { Plan } from "./plan.ts";
import type { Ring } from "./rings.ts";
import type { TracedRegion } from "./tracer.ts";

/** `[x, y]` in world coordinates. */
type Position = number[];

/** Polygon of a region of one part, MultiPolygon of one with several. */
export function makeFeature({ value, area, parts }: TracedRegion, { transform, names }: Plan): Feature {
  const [a, b, c, d, e, f] = transform;
  // The rings have the region on their left on the screen; a transform that does not flip y turns that round.
  const mirrored = a * e - b * d > 0;
  const position = ({ points }: Ring, k: number): Position => {
    const x = points[2 * k]!;
    const y = points[2 * k + 1]!;
    return [a * x + b * y + c, d * x + e * y + f];
  };
  const closedRing = (ring: Ring): Position[] => {
    const n = ring.points.length / 2;
    const out: Position[] = new Array<Position>(n + 1);
    for (let k = 0; k <= n; k++) out[mirrored ? n - k : k] = position(ring, k === n ? 0 : k);
    return out;
  };
  const polygons = parts.map((rings) => rings.map(closedRing));
  return {
    geometry: polygons.length === 1 ? { type: "Polygon", coordinates: polygons[0]! } : { type: "MultiPolygon", coordinates: polygons },
    properties: { value, class: names.get(value) ?? String(value), area },
  };
}
