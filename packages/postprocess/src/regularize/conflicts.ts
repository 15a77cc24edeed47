/** Results that would overlap where their outlines did not. */

import { sharedArea } from "./adjoining.ts";

type Rings = readonly Float64Array[];
type Pair = readonly [number, number];

/** Polygons, and what results for them overlap more than they do. */
export class Overlaps {
  readonly #polygons: readonly Rings[];
  readonly #tolerance: number;
  /** Areas that polygons have in common: they never change, and have many more corners than results. */
  readonly #shared = new Map<Pair, number>();

  constructor(polygons: readonly Rings[], tolerance: number) {
    this.#polygons = polygons;
    this.#tolerance = tolerance;
  }

  /** Area that two results, or the polygons where there is none, have in common more than the polygons. */
  excess(pair: Pair, one: Rings | null, other: Rings | null): number {
    if (one === null && other === null) return 0;
    const [a, b] = pair;
    const after = sharedArea(one ?? this.#polygons[a]!, other ?? this.#polygons[b]!);
    return after > 1e-6 * this.#tolerance ** 2 ? Math.max(0, after - this.#sharedBefore(pair)) : 0;
  }

  #sharedBefore(pair: Pair): number {
    let area = this.#shared.get(pair);
    if (area === undefined) this.#shared.set(pair, (area = sharedArea(this.#polygons[pair[0]]!, this.#polygons[pair[1]]!)));
    return area;
  }
}

/** Conflicts of results, kept up to date as results are given up or replaced. */
export class Conflicts {
  readonly #overlaps: Overlaps;
  readonly #results: (Rings | null)[];
  /** Pairs of each building. */
  readonly #pairsOf: ReadonlyMap<number, readonly Pair[]>;
  /** Pairs whose results overlap more than their polygons. */
  readonly #overlapping = new Set<Pair>();

  constructor(overlaps: Overlaps, results: readonly (Rings | null)[], pairs: readonly Pair[]) {
    this.#overlaps = overlaps;
    this.#results = [...results];
    const pairsOf = new Map<number, Pair[]>();
    for (const pair of pairs) {
      for (const i of pair) pairsOf.set(i, [...(pairsOf.get(i) ?? []), pair]);
      this.#look(pair);
    }
    this.#pairsOf = pairsOf;
  }

  get results(): readonly (Rings | null)[] {
    return this.#results;
  }

  /** Gives results up until none overlaps another more than their polygons do, those in the most conflicts first. */
  giveUp(): void {
    while (this.#overlapping.size > 0) {
      const counts = new Map<number, number>();
      for (const pair of this.#overlapping) for (const i of pair) if (this.#results[i] !== null) counts.set(i, (counts.get(i) ?? 0) + 1);
      const [worst] = [...counts].reduce((most, one) => (one[1] > most[1] ? one : most));
      this.replace(worst, null);
    }
  }

  /** Area that a result for a building has in common with its neighbours, more than the polygons had; some area above `most` when it is more than that. */
  excess(building: number, rings: Rings, most: number): number {
    let sum = 0;
    for (const pair of this.#pairsOf.get(building) ?? []) {
      if (sum > most) break;
      const [one, other] = pair.map((i) => (i === building ? rings : (this.#results[i] ?? null)));
      sum += this.#overlaps.excess(pair, one!, other!);
    }
    return sum;
  }

  /** Takes another result for a building, or none. */
  replace(building: number, rings: Rings | null): void {
    this.#results[building] = rings;
    for (const pair of this.#pairsOf.get(building) ?? []) this.#look(pair);
  }

  #look(pair: Pair): void {
    const [one, other] = [this.#results[pair[0]] ?? null, this.#results[pair[1]] ?? null];
    if (this.#overlaps.excess(pair, one, other) > 0) this.#overlapping.add(pair);
    else this.#overlapping.delete(pair);
  }
}
