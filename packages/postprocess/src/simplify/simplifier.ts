/** Simplification of a whole map: borders stay shared, nothing crosses, no region and no hole disappears. */

import type { SimplifyPlan } from "../polygonize/plan.ts";
import type { Ring } from "../polygonize/rings.ts";
import type { TracedRegion } from "../polygonize/tracer.ts";
import { ArcStore, type ArcUse } from "./arcs.ts";
import { type SimplifiedArc, findConflicts } from "./conflicts.ts";
import { douglasPeucker } from "./douglas-peucker.ts";

/** A region whose rings are lists of arcs. */
interface StoredRegion extends Pick<TracedRegion, "value" | "pixels" | "area"> {
  readonly parts: readonly (readonly { readonly outer: boolean; readonly uses: readonly ArcUse[] }[])[];
}

/** Takes regions as they are traced; hands them on, simplified, when all are there. */
export class Simplifier {
  readonly #plan: SimplifyPlan;
  readonly #store: ArcStore;
  readonly #regions: StoredRegion[] = [];

  constructor(plan: SimplifyPlan, width: number, height: number) {
    this.#store = new ArcStore(width, height);
    this.#plan = plan;
  }

  add({ value, pixels, area, parts, points, nodes }: TracedRegion): void {
    const stored = parts.map((rings) => rings.map((ring) => ({ outer: ring.outer, uses: this.#store.cut(points, nodes, ring) })));
    this.#regions.push({ value, pixels, area, parts: stored });
  }

  /** The regions in the order they came. */
  *finish(signal?: AbortSignal): Generator<TracedRegion> {
    const arcs = simplifyArcs(this.#store, this.#plan, signal);
    for (const { value, pixels, area, parts } of this.#regions) {
      const out: number[] = [];
      const rings = parts.map((part) =>
        part.map(({ outer, uses }): Ring => {
          const from = out.length / 2;
          for (const { arc, reversed } of uses) appendArc(out, arcs[arc]!, reversed);
          return { outer, from, to: out.length / 2 };
        }),
      );
      yield { value, pixels, area, parts: rings, points: Int32Array.from(out), nodes: new Uint8Array(0) };
    }
  }
}

/** Arcs in conflict are simplified by half the tolerance, and so on; with none left out there is no conflict. */
function simplifyArcs(store: ArcStore, { tolerance, metric }: SimplifyPlan, signal: AbortSignal | undefined): SimplifiedArc[] {
  const [xx, xy, yx, yy] = metric;
  const smallest = Math.min(Math.hypot(xx, yx), Math.hypot(xy, yy)) / 4;
  const tolerances = new Float64Array(store.arcs.length).fill(tolerance);
  const arcs = store.arcs.map(({ points }): SimplifiedArc => ({ points, kept: douglasPeucker(points, tolerance, metric) }));
  let changed: ReadonlySet<number> = new Set(arcs.keys());
  while (changed.size > 0) {
    signal?.throwIfAborted();
    const conflicts = new Set<number>();
    for (const arc of findConflicts(arcs, changed)) {
      if (tolerances[arc] === 0) continue;
      const less = tolerances[arc]! / 2;
      tolerances[arc] = less < smallest ? 0 : less;
      arcs[arc] = { points: arcs[arc]!.points, kept: douglasPeucker(arcs[arc]!.points, tolerances[arc]!, metric) };
      conflicts.add(arc);
    }
    changed = conflicts;
  }
  return arcs;
}

/** Adds the points of an arc without the last one, which the next arc begins with. */
function appendArc(out: number[], { points, kept }: SimplifiedArc, reversed: boolean): void {
  const n = kept.length;
  for (let k = 0; k < n - 1; k++) {
    const at = 2 * kept[reversed ? n - 1 - k : k]!;
    out.push(points[at]!, points[at + 1]!);
  }
}
