/** Cuts regions along a row, so that outlines of the largest do not fill the memory. */

import type { Chains } from "./chains.ts";
import type { Regions } from "./regions.ts";
import type { Runs } from "./runs.ts";

/** Bit of a vertex's flags that marks it as counted; nobody else uses it meanwhile. */
const COUNTED = 128;

/**
 * Ends the regions with the longest outlines at the bottom of a row, until the open ones have `most` vertices: their runs
 * get the value NaN, which equals nothing below, so that the outline closes there and what follows is a region of its own.
 */
export function cutLargest(
  chains: Chains,
  regions: Regions,
  runs: Runs,
  labels: Int32Array,
  most: number,
  onCut: (root: number) => void,
): void {
  const sizes = new Map<number, number>();
  for (let k = 0; k < runs.count; k++) {
    if (labels[k] === -1) continue;
    const root = regions.find(labels[k]!);
    if (!sizes.has(root)) sizes.set(root, countVertices(chains, regions.firstStart[root]!));
  }
  let open = 0;
  for (const size of sizes.values()) open += size;
  const ended = new Set<number>();
  // Of equals the one that is met first: sorting is stable, and so is the order of the runs.
  for (const [root, size] of [...sizes].sort(([, a], [, b]) => b - a)) {
    if (open <= most) break;
    ended.add(root);
    open -= size;
    regions.cut[root] = 1;
    onCut(root);
  }
  for (let k = 0; k < runs.count; k++) if (labels[k] !== -1 && ended.has(regions.find(labels[k]!))) runs.values[k] = NaN;
}

/** Vertices of all chains of a region's list. */
function countVertices(chains: Chains, firstStart: number): number {
  const { flags, nextStart } = chains;
  let count = 0;
  for (let start = firstStart; start !== -1; start = nextStart[start]!) {
    if ((flags[start]! & COUNTED) === 0) count += walk(chains, start, (vertex) => (flags[vertex]! |= COUNTED));
  }
  for (let start = firstStart; start !== -1; start = nextStart[start]!) {
    if ((flags[start]! & COUNTED) !== 0) walk(chains, start, (vertex) => (flags[vertex]! &= ~COUNTED));
  }
  return count;
}

/** Visits a chain, open or closed, from one of its vertices in both directions; returns how many vertices it has. */
function walk({ one, two }: Chains, start: number, visit: (vertex: number) => void): number {
  visit(start);
  let count = 1;
  for (const first of [one[start]!, two[start]!]) {
    let before = start;
    let at = first;
    while (at !== -1 && at !== start) {
      visit(at);
      count++;
      const next = one[at] === before ? two[at]! : one[at]!;
      before = at;
      at = next;
    }
    if (at === start) break; // closed: one direction saw it all
  }
  return count;
}
