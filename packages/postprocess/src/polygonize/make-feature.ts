/** From rings of pixel corners to features in world coordinates. */

import type { Feature } from "@geolearn/core";

import type { Plan } from "./plan.ts";
import type { Ring } from "./rings.ts";
import type { TracedRegion } from "./tracer.ts";

/** `[x, y]` in world coordinates. */
type Position = number[];

/** Polygon of a region of one part, MultiPolygon of one with several. */
export function makeFeature({ value, area, parts, points }: TracedRegion, { transform, className }: Plan): Feature {
  const [a, b, c, d, e, f] = transform;
  // The rings have the region on their left on the screen; a transform that does not flip y turns that round.
  const mirrored = a * e - b * d > 0;
  const polygons: Position[][][] = [];
  for (const rings of parts) {
    const polygon: Position[][] = [];
    for (const ring of rings) polygon.push(closedRing(ring));
    polygons.push(polygon);
  }
  return {
    geometry: polygons.length === 1 ? { type: "Polygon", coordinates: polygons[0]! } : { type: "MultiPolygon", coordinates: polygons },
    properties: { value, class: className(value), area },
  };

  function closedRing({ from, to }: Ring): Position[] {
    const out: Position[] = [];
    for (let k = from; k <= to; k++) {
      let at = k;
      if (mirrored) at = k === from ? from : from + to - k;
      else if (k === to) at = from;
      const x = points[2 * at]!;
      const y = points[2 * at + 1]!;
      out.push([a * x + b * y + c, d * x + e * y + f]);
    }
    return out;
  }
}
