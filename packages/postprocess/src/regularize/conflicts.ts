/** Results that would overlap where their outlines did not. */

import { sharedArea } from "./adjoining.ts";

type Rings = readonly Float64Array[];
type Pair = readonly [number, number];

/** Area that two results, or the polygons where there is none, have in common more than the polygons had. */
function excessArea(polygons: readonly Rings[], [a, b]: Pair, one: Rings | null, other: Rings | null, tolerance: number): number {
  if (one === null && other === null) return 0;
  const after = sharedArea(one ?? polygons[a]!, other ?? polygons[b]!);
  return after > 1e-6 * tolerance ** 2 ? Math.max(0, after - sharedArea(polygons[a]!, polygons[b]!)) : 0;
}

/** True when two results, or the polygons where there is none, have more in common than the polygons had. */
export function overlapsMore(polygons: readonly Rings[], results: readonly (Rings | null)[], pair: Pair, tolerance: number): boolean {
  return excessArea(polygons, pair, results[pair[0]] ?? null, results[pair[1]] ?? null, tolerance) > 0;
}

/** Conflicts of results, kept up to date as results are given up or replaced. */
export class Conflicts {
  readonly #polygons: readonly Rings[];
  readonly #results: (Rings | null)[];
  readonly #tolerance: number;
  /** Pairs of each building. */
  readonly #pairsOf: ReadonlyMap<number, readonly Pair[]>;
  /** Pairs whose results overlap more than their polygons. */
  readonly #overlapping = new Set<Pair>();

  constructor(polygons: readonly Rings[], results: readonly (Rings | null)[], pairs: readonly Pair[], tolerance: number) {
    this.#polygons = polygons;
    this.#results = [...results];
    this.#tolerance = tolerance;
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

  /** Area that a result for a building has in common with its neighbours, more than the polygons had. */
  excess(building: number, rings: Rings): number {
    let sum = 0;
    for (const pair of this.#pairsOf.get(building) ?? []) {
      const [one, other] = pair.map((i) => (i === building ? rings : (this.#results[i] ?? null)));
      sum += excessArea(this.#polygons, pair, one!, other!, this.#tolerance);
    }
    return sum;
  }

  /** Takes another result for a building, or none. */
  replace(building: number, rings: Rings | null): void {
    this.#results[building] = rings;
    for (const pair of this.#pairsOf.get(building) ?? []) this.#look(pair);
  }

  #look(pair: Pair): void {
    if (overlapsMore(this.#polygons, this.#results, pair, this.#tolerance)) this.#overlapping.add(pair);
    else this.#overlapping.delete(pair);
  }
}
