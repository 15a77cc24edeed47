/**
 * Small regions given to their largest neighbour, by the rule of gdal_sieve: sizes and neighbours are those of the input; of
 * equally large neighbours the first met wins; where the largest neighbour is small too, its largest neighbour counts, and
 * so on; a region that finds no large one in this way stays as it is.
 *
 * Rows are read twice, first for the sizes. In memory are the rows down to where the small regions in them end.
 */

import { OUTSIDE, type Runs, newRuns } from "../polygonize/runs.ts";
import { type RegionSizes, regionSizes } from "./region-sizes.ts";
import { RunLabels } from "./run-labels.ts";

/** Options of {@link sieveRows}. */
export interface SieveOptions {
  readonly width: number;
  readonly connectivity: 4 | 8;
  readonly isSmall: (pixels: number, area: number) => boolean;
  /** Weight of a pixel of each row. */
  readonly rowArea: (row: number) => number;
}

/** A row that can be turned into runs. */
export interface FillableRow {
  readonly row: number;
  readonly fill: (runs: Runs) => void;
}

/** A region, as far as the sieve must know it. */
interface Region {
  readonly value: number;
  /** Final size, known from the first reading. */
  readonly pixels: number;
  readonly small: boolean;
  /** The largest neighbour so far; of small regions only. */
  largest: Region | null;
  /** No row below belongs to it, so `largest` is final. */
  done: boolean;
  /** The region whose value it takes, often itself; null while that is not known. */
  target: Region | null;
}

/** A row that waits for the decisions about its small regions: starts of its runs (see {@link Runs}) and their regions. */
interface HeldRow {
  readonly row: number;
  readonly starts: Int32Array;
  readonly regions: readonly (Region | null)[];
}

/** Reads rows twice, by two calls of `read`, and hands them on with new values; those that `wanted` does not have are left out. */
export async function* sieveRows(
  read: (reading: 1 | 2) => AsyncIterable<FillableRow>,
  wanted: ReadonlySet<number> | null,
  options: SieveOptions,
): AsyncGenerator<FillableRow> {
  const sizes = await regionSizes(read(1), options);
  try {
    const tracker = new RegionTracker(options.connectivity, sizes);
    const runs = newRuns(options.width);
    const held: HeldRow[] = [];
    let above: HeldRow | null = null;
    for await (const { row, fill } of read(2)) {
      fill(runs);
      await sizes.ensure(runs.count);
      const regions = tracker.advance(runs);
      const line: HeldRow = { row, starts: runs.starts.slice(0, runs.count + 1), regions };
      meetNeighbours(line, above, options.connectivity === 8);
      tracker.finish();
      held.push(line);
      above = line;
      let ready = 0;
      while (ready < held.length && isDecided(held[ready]!)) yield fillable(held[ready++]!, wanted);
      held.splice(0, ready);
    }
    tracker.end();
    for (const line of held) yield fillable(line, wanted);
  } finally {
    await sizes.dispose();
  }
}

/** Regions of the runs of each row, with the sizes they will have. */
class RegionTracker {
  readonly #labels: RunLabels;
  /** By label, for the labels of the last row. */
  readonly #region: Region[] = [];
  readonly #id: number[] = [];
  readonly #open = new Map<number, Region>();
  /** Regions that ended with the row before; they are done once that row has met its neighbours, which it has by now. */
  #ended: Region[] = [];

  constructor(connectivity: 4 | 8, sizes: RegionSizes) {
    this.#labels = new RunLabels(connectivity, {
      created: (label) => {
        const { id, pixels, small } = sizes.next();
        const region = this.#open.get(id) ?? {
          value: this.#labels.value[label]!,
          pixels,
          small,
          largest: null,
          done: false,
          target: null,
        };
        this.#open.set(id, region);
        this.#id[label] = id;
        this.#region[label] = region;
      },
      merged: () => undefined, // both labels stood for the same region from the start
      finished: (label) => {
        this.#ended.push(this.#region[label]!);
        this.#open.delete(this.#id[label]!);
      },
    });
  }

  advance(runs: Runs): (Region | null)[] {
    return Array.from(this.#labels.advance(runs, 0), (label) => (label === -1 ? null : this.#region[label]!));
  }

  /** After the row met its neighbours above: regions that ended there have met all of theirs. */
  finish(): void {
    for (const region of this.#ended) region.done = true;
    this.#ended = [];
  }

  end(): void {
    this.#labels.end();
    this.finish();
  }
}

/** Regions of a row meet those above and beside; pixels are met from left to right. */
function meetNeighbours({ starts, regions }: HeldRow, above: HeldRow | null, diagonal: boolean): void {
  let i = 0;
  for (let j = 0; j < regions.length; j++) {
    const [start, end, region] = [starts[j]!, starts[j + 1]!, regions[j]!];
    // The first pixel of a run meets what is above, beside that, and on its left.
    if (above !== null) {
      meet(region, regionAt(above, start));
      if (diagonal) meet(region, regionAt(above, start - 1));
      if (diagonal) meet(region, regionAt(above, start + 1));
    }
    if (j > 0) meet(region, regions[j - 1]!);
    // Others meet something new only where a run begins above; at a corner that is one pixel earlier.
    const reach = diagonal ? end + 1 : end;
    while (above !== null && i < above.regions.length && above.starts[i]! <= start) i++;
    for (let k = i; above !== null && k < above.regions.length && above.starts[k]! < reach; k++) meet(region, above.regions[k]!);
  }
}

function meet(a: Region | null, b: Region | null): void {
  if (a === null || b === null || a === b) return;
  if (a.small && (a.largest === null || a.largest.pixels < b.pixels)) a.largest = b;
  if (b.small && (b.largest === null || b.largest.pixels < a.pixels)) b.largest = a;
}

function regionAt({ starts, regions }: HeldRow, x: number): Region | null {
  let low = 0;
  let high = regions.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle]! <= x) low = middle;
    else high = middle - 1;
  }
  return regions[low]!;
}

function isDecided({ regions }: HeldRow): boolean {
  return regions.every((region) => region === null || decide(region) !== null);
}

/** The region whose value a region takes, or null while rows below may still change that. */
function decide(region: Region): Region | null {
  if (!region.small) return region;
  if (region.target !== null) return region.target;
  const path = new Set<Region>();
  let at: Region | null = region;
  while (at !== null && at.small && at.target === null && !path.has(at)) {
    if (!at.done) return null;
    path.add(at);
    at = at.largest;
  }
  // The walk ended at a large region, at one that is decided, at one without neighbours, or in a circle of small ones that all stay.
  const found = at === null || path.has(at) ? null : (at.target ?? at);
  for (const one of path) one.target = found !== null && !found.small ? found : one;
  return region.target;
}

/** A row with its new values; neighbours that became equal are one run. */
function fillable({ row, starts, regions }: HeldRow, wanted: ReadonlySet<number> | null): FillableRow {
  const fill = (out: Runs): void => {
    out.starts[0] = -1;
    out.values[0] = OUTSIDE;
    let count = 1;
    for (let j = 1; j < regions.length; j++) {
      const region = regions[j]!;
      const real = region === null ? OUTSIDE : decide(region)!.value;
      const value = wanted === null || wanted.has(real) ? real : OUTSIDE;
      if (value === out.values[count - 1]) continue;
      out.starts[count] = starts[j]!;
      out.values[count++] = value;
    }
    out.starts[count] = starts[regions.length]!;
    out.count = count;
  };
  return { row, fill };
}
