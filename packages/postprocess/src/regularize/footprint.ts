/** One polygon: its rings divided into walls, in the directions of the outer ring. */

import { candidateAngles, runScatter, scatterAngle } from "./base-angle.ts";
import { Band } from "./band.ts";
import { type Outline, canonicalRing, cutOutline, ringArea } from "./outline.ts";
import { divideRing, divisionFrom } from "./runs.ts";
import { type Settings, wallRules } from "./settings.ts";
import { type Wall, fitWalls, withoutShortWalls } from "./walls.ts";

/** A polygon ready to be regularized: its outlines, the shell first. */
export interface Footprint {
  readonly outlines: readonly Outline[];
  readonly bands: readonly Band[];
}

/** Null when the shell has no area. Holes smaller than a square of the tolerance are filled: no ring of long enough walls could stand for them. */
export function prepareFootprint(rings: readonly Float64Array[], { tolerance, densification }: Settings): Footprint | null {
  const outlines: Outline[] = [];
  for (const ring of rings) {
    const canonical = canonicalRing(ring);
    const area = canonical === null ? 0 : ringArea(canonical);
    if (outlines.length > 0 && area < tolerance ** 2) continue;
    if (canonical === null) return null;
    outlines.push(cutOutline(canonical, densification));
  }
  if (outlines.length === 0) return null;
  return { outlines, bands: outlines.map(({ ring }) => new Band(ring, tolerance)) };
}

/** Rounds of fitting the angle to a division and dividing again. */
const ROUNDS = 2;

/** The directions of a footprint: an angle that its walls follow, and the sums of {@link runScatter} that it comes from. */
export interface Alignment {
  readonly angle: number;
  readonly pull: readonly [cos: number, sin: number];
  readonly cost: number;
}

/** Angles that the walls of an outline may follow, the best first; none when it cannot be divided at all. */
export function alignments(outline: Outline, settings: Settings): Alignment[] {
  if (wallRules(settings, 0).directions === 0) return [{ angle: 0, pull: [1, 0], cost: 0 }];
  const chord = Math.min(4 * settings.tolerance, outline.perimeter / 8);
  const found: Alignment[] = [];
  for (const candidate of candidateAngles(outline, chord, 3)) {
    let best: Alignment | null = null;
    let angle = candidate;
    for (let round = 0; round < ROUNDS; round++) {
      const rules = wallRules(settings, angle);
      const division = divisionFrom(outline, rules);
      if (division === null) break;
      if (best !== null && division.cost >= best.cost * (1 - 1e-6)) break;
      const pull = runScatter(outline, division.runs, rules.directions);
      const next = scatterAngle(pull, angle);
      best = { angle: next, pull, cost: division.cost };
      if (Math.abs(next - angle) < 1e-4) break;
      angle = next;
      // what is clearly worse than another candidate is not pursued
      if (found.some((other) => other.cost < 0.7 * division.cost)) break;
    }
    if (best !== null) found.push(best);
  }
  return found.sort((a, b) => a.cost - b.cost);
}

/** Walls of one ring at an angle, or null when there is no such ring. */
export function planWalls(outline: Outline, settings: Settings, angle: number, thrift: number): Wall[] | null {
  const rules = wallRules(settings, angle, thrift);
  const division = divideRing(outline, rules);
  return division === null ? null : withoutShortWalls(fitWalls(outline, division.runs, rules), rules);
}
