/** Which features of a long row may adjoin, by their boxes. */

import { type Bounds, boundsMeet } from "@geolearn/core";

/** Boxes in clusters: those that meet are in one. Features without a box are alone. */
export class Clusters {
  /** The next member of the same cluster, in order; -1 after the last. */
  readonly #next: Int32Array;
  readonly #first: Int32Array;
  readonly #last: Int32Array;

  constructor(boxes: readonly (Bounds | null)[]) {
    const count = boxes.length;
    const parent = Int32Array.from({ length: count }, (_, i) => i);
    const find = (i: number): number => {
      while (parent[i] !== i) i = parent[i] = parent[parent[i]!]!;
      return i;
    };
    joinMeeting(boxes, (a, b) => (parent[Math.max(find(a), find(b))] = Math.min(find(a), find(b))));
    this.#next = new Int32Array(count).fill(-1);
    this.#last = new Int32Array(count).fill(-1);
    this.#first = new Int32Array(count);
    for (let i = 0; i < count; i++) {
      const root = find(i);
      this.#first[i] = root;
      if (this.#last[root] !== -1) this.#next[this.#last[root]!] = i;
      this.#last[root] = i;
    }
  }

  /** True when a feature is the last of its cluster. */
  endsWith(index: number): boolean {
    return this.#next[index] === -1;
  }

  /** All members of a feature's cluster, in order. */
  members(index: number): number[] {
    const members: number[] = [];
    for (let i = this.#first[index]!; i !== -1; i = this.#next[i]!) members.push(i);
    return members;
  }

  /** Members of the cluster that the feature `from` is in, as far as `to`. */
  open(from: number, to: number): number[] {
    return this.members(from).filter((i) => i >= from && i <= to);
  }
}

/** Calls with pairs of boxes that meet, found in the cells of a grid of about one box each. */
function joinMeeting(boxes: readonly (Bounds | null)[], join: (a: number, b: number) => void): void {
  const sizes = boxes.flatMap((box) => (box === null ? [] : [Math.max(box[2] - box[0], box[3] - box[1])])).sort((a, b) => a - b);
  const cell = 2 * (sizes[sizes.length >> 1] ?? 1) || 1;
  const large: number[] = [];
  const cells = new Map<string, number[]>();
  for (const [i, box] of boxes.entries()) {
    if (box === null) continue;
    const [left, low, right, high] = box.map((value) => Math.floor(value / cell)) as [number, number, number, number];
    if (!Number.isSafeInteger(left) || !Number.isSafeInteger(right) || !Number.isSafeInteger(low) || !Number.isSafeInteger(high)) continue;
    if ((right - left + 1) * (high - low + 1) > 64) {
      large.push(i);
      continue;
    }
    for (let col = left; col <= right; col++) {
      for (let row = low; row <= high; row++) {
        const key = `${col} ${row}`;
        const here = cells.get(key);
        if (here === undefined) cells.set(key, [i]);
        else {
          for (const other of here) if (boundsMeet(boxes[other]!, box)) join(other, i);
          here.push(i);
        }
      }
    }
  }
  for (const i of large)
    for (const [other, box] of boxes.entries()) if (other !== i && box !== null && boundsMeet(box, boxes[i]!)) join(i, other);
}
