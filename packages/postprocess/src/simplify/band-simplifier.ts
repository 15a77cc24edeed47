/**
 * Simplification of a map band by band: borders stay shared, nothing crosses, no region and no hole disappears. Outlines keep
 * the points where they cross from one band to the next, so that what is simplified in one band concerns no other.
 */

import { type Chains, DROPPED, FREE, NODE, START } from "../polygonize/chains.ts";
import type { SimplifyPlan } from "../polygonize/plan.ts";
import type { BandWork } from "../polygonize/tracer.ts";
import { BandArcs, SEEN } from "./arcs.ts";
import { findConflicts } from "./conflicts.ts";
import { douglasPeucker } from "./douglas-peucker.ts";

/** Simplifies the outlines of a band where they are, in their chains. */
export class BandSimplifier implements BandWork {
  readonly bandVertices: number;
  readonly #plan: SimplifyPlan;
  readonly #width: number;
  readonly #signal: AbortSignal | undefined;

  constructor(plan: SimplifyPlan, width: number, bandVertices: number, signal: AbortSignal | undefined) {
    this.#plan = plan;
    this.#width = width;
    this.bandVertices = bandVertices;
    this.#signal = signal;
  }

  run(chains: Chains, top: number, bottom: number): void {
    const arcs = new BandArcs(chains, top, bottom);
    const keep = this.#simplify(arcs, top, bottom);
    for (let side = 0; side < arcs.sideCount; side++) leaveOut(chains, arcs, side, keep);
    startNextBand(chains, bottom);
  }

  /** Which points stay. Arcs in conflict are simplified by half the tolerance, and so on; with none left out there is no conflict. */
  #simplify(arcs: BandArcs, top: number, bottom: number): Uint8Array {
    const { tolerance, metric } = this.#plan;
    const [xx, xy, yx, yy] = metric;
    const smallest = Math.min(Math.hypot(xx, yx), Math.hypot(xy, yy)) / 4;
    const { points, from, count } = arcs;
    const keep = new Uint8Array(from[count]!);
    const tolerances = new Float64Array(count).fill(tolerance);
    const changed = new Uint8Array(count).fill(1);
    const simplify = (arc: number): void => douglasPeucker(points, from[arc]!, from[arc + 1]!, tolerances[arc]!, metric, keep);
    for (let arc = 0; arc < count; arc++) simplify(arc);
    for (let left = count; left > 0;) {
      this.#signal?.throwIfAborted();
      const conflicts = findConflicts(arcs, keep, changed, { top, bottom, width: this.#width });
      left = 0;
      for (let arc = 0; arc < count; arc++) {
        changed[arc] = 0;
        if (conflicts[arc] === 0 || tolerances[arc] === 0) continue;
        const less = tolerances[arc]! / 2;
        tolerances[arc] = less < smallest ? 0 : less;
        simplify(arc);
        changed[arc] = 1;
        left++;
      }
    }
    return keep;
  }
}

/** Takes the points that do not stay out of the chain of one side. */
function leaveOut(chains: Chains, { sides, from }: BandArcs, side: number, keep: Uint8Array): void {
  const { one, two, flags } = chains;
  const arc = sides[4 * side + 2]!;
  const backwards = sides[4 * side + 3] === 1;
  const first = from[arc]!;
  const last = from[arc + 1]! - 1;
  let before = sides[4 * side]!;
  let at = sides[4 * side + 1]!;
  for (let k = first + 1; k < last; k++) {
    const after = one[at] === before ? two[at]! : one[at]!;
    if (keep[backwards ? first + last - k : k] === 1) before = at;
    else if ((flags[at]! & START) !== 0) {
      flags[at]! |= DROPPED;
      before = at;
    } else chains.unlink(at, before, after);
    at = after;
  }
}

/** What the next band begins with: the nodes on the line between the two. */
function startNextBand(chains: Chains, line: number): void {
  const { made, madeCount, flags, y } = chains;
  let count = 0;
  for (let k = 0; k < madeCount; k++) {
    const vertex = made[k]!;
    // Without the mark it is in no chain any more, or was here before.
    if ((flags[vertex]! & FREE) !== 0 || (flags[vertex]! & SEEN) === 0) continue;
    flags[vertex]! &= ~SEEN;
    if (y[vertex] === line && (flags[vertex]! & NODE) !== 0) made[count++] = vertex;
  }
  chains.madeCount = count;
}
