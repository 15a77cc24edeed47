/** Simplification of borders that two regions share. */

import { GeoLearnError } from "@geolearn/core";

import type { SimplifyPlan } from "../polygonize/plan.ts";
import type { TracedRegion } from "../polygonize/tracer.ts";

/** Replaces the rings of regions by simplified ones. */
export function simplifyRegions(_regions: TracedRegion[], { tolerance }: SimplifyPlan, _signal?: AbortSignal): void {
  throw new GeoLearnError("INVALID_ARGUMENT", `Simplification by ${tolerance} is not available yet.`);
}
