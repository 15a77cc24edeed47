/** From the closed chains of a region to rings: holes told from shells, rings that touch themselves taken apart. */

import { CONVEX_START, type Chains, NODE, PINCH } from "./chains.ts";
import type { Regions } from "./regions.ts";

/**
 * A closed ring on the lattice of pixel corners, from its topmost (of these leftmost) point. The last point is the one
 * before the first. Outer rings go down first, holes go right first: with y down, the region is on the left hand.
 */
export interface Ring {
  /** x0, y0, x1, y1, ... */
  readonly points: Int32Array;
  readonly outer: boolean;
  /** 1 where three or more outlines meet, when nodes are kept; else null. */
  readonly nodes: Uint8Array | null;
}

const VISITED = 128;

/**
 * All rings of a region, by 4-connected part, each part's outer ring first. The vertices are released. With `keep` false
 * nothing is collected.
 */
export function collectRings(chains: Chains, regions: Regions, root: number, keep: boolean): Ring[][] {
  const parts = new Map<number, Ring[]>();
  const single: Ring[] = [];
  let onlyPart = -1;
  const walked: number[] = [];
  for (let start = regions.firstStart[root]!; start !== -1; start = chains.nextStart[start]!) {
    if ((chains.flags[start]! & VISITED) !== 0) continue;
    const from = walked.length;
    const pinched = walk(chains, start, walked);
    if (!keep) continue;
    const part = regions.findPart(chains.label[start]!);
    if (onlyPart === -1) onlyPart = part;
    let rings = single;
    if (part !== onlyPart) {
      const known = parts.get(part);
      rings = known ?? [];
      if (known === undefined) parts.set(part, rings);
    }
    if (pinched) for (const loop of splitAtPinches(chains, walked.slice(from))) rings.push(toRing(chains, loop, 0, loop.length));
    else rings.push(toRing(chains, walked, from, walked.length));
  }
  for (let i = 0; i < walked.length; i++) chains.release(walked[i]!);
  if (!keep) return [];
  const all = [single, ...parts.values()];
  for (const rings of all) {
    const outer = rings.findIndex((ring) => ring.outer);
    if (outer > 0) rings.unshift(...rings.splice(outer, 1));
  }
  return all;
}

/** Appends the vertices of the ring that `start` lies on; true when one of them is a pinch. */
function walk({ one, two, flags }: Chains, start: number, out: number[]): boolean {
  let before = two[start]!;
  let at = start;
  let seen = 0;
  do {
    out.push(at);
    seen |= flags[at]!;
    flags[at]! |= VISITED;
    const next = one[at] === before ? two[at]! : one[at]!;
    before = at;
    at = next;
  } while (at !== start);
  return (seen & PINCH) !== 0;
}

/**
 * A ring that comes twice through the same point encloses a hole there that touches the shell. Cut at such points it
 * becomes several rings that touch at single points, which is valid; the interior stays connected by pixel edges.
 */
function splitAtPinches(chains: Chains, ring: readonly number[]): number[][] {
  const loops: number[][] = [];
  const path: number[] = [];
  const places = new Map<number, number>();
  for (const vertex of ring) {
    if ((chains.flags[vertex]! & PINCH) !== 0) {
      const key = chains.y[vertex]! * 0x4000000 + chains.x[vertex]!;
      const first = places.get(key);
      if (first !== undefined) {
        const loop = path.splice(first);
        for (const gone of loop) if ((chains.flags[gone]! & PINCH) !== 0) places.delete(chains.y[gone]! * 0x4000000 + chains.x[gone]!);
        loops.push(loop);
      }
      places.set(key, path.length);
    }
    path.push(vertex);
  }
  loops.push(path);
  return loops;
}

/** `vertices[from..to)` as a ring in its normal form. */
function toRing({ x, y, flags }: Chains, vertices: readonly number[], from: number, to: number): Ring {
  const n = to - from;
  let top = from;
  for (let k = from + 1; k < to; k++) {
    const [a, b] = [vertices[k]!, vertices[top]!];
    if (y[a]! < y[b]! || (y[a] === y[b] && x[a]! < x[b]!)) top = k;
  }
  const first = vertices[top]!;
  const outer = (flags[first]! & CONVEX_START) !== 0;
  const next = vertices[top + 1 === to ? from : top + 1]!;
  // At the topmost point one edge goes down and one goes right.
  const forward = (x[next] === x[first]) === outer;
  const points = new Int32Array(2 * n);
  let hasNodes = false;
  for (let k = 0, at = top; k < n; k++) {
    const vertex = vertices[at]!;
    points[2 * k] = x[vertex]!;
    points[2 * k + 1] = y[vertex]!;
    hasNodes ||= (flags[vertex]! & NODE) !== 0;
    if (forward) at = at + 1 === to ? from : at + 1;
    else at = at === from ? to - 1 : at - 1;
  }
  if (!hasNodes) return { points, outer, nodes: null };
  const nodes = new Uint8Array(n);
  for (let k = 0, at = top; k < n; k++) {
    nodes[k] = (flags[vertices[at]!]! & NODE) !== 0 ? 1 : 0;
    if (forward) at = at + 1 === to ? from : at + 1;
    else at = at === from ? to - 1 : at - 1;
  }
  return { points, outer, nodes };
}
