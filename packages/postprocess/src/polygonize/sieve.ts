/**
 * Small regions given to their largest neighbour, by the rule of gdal_sieve: sizes and neighbours are those of the input; of
 * equally large neighbours the first met wins; where the largest neighbour is small too, its largest neighbour counts, and
 * so on; a region that finds no large one in this way stays as it is.
 */

import { Chains } from "./chains.ts";
import { Regions } from "./regions.ts";
import { OUTSIDE, type Runs, newRuns } from "./runs.ts";

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

/** A raster after the sieve, in runs. */
export interface SievedRows {
  /** Rows from the top, with values that `wanted` does not have left out. */
  rows(wanted: ReadonlySet<number> | null): Iterable<FillableRow>;
}

/** One row kept: starts of its runs (see {@link Runs}) and their labels, -1 outside. */
interface KeptRow {
  readonly starts: Int32Array;
  readonly labels: Int32Array;
}

/** Reads all rows, keeps their runs, and decides for each region what value it gets. */
export async function sieveRows(source: AsyncIterable<FillableRow>, options: SieveOptions): Promise<SievedRows> {
  const regions = new Regions(options.connectivity, new Chains());
  const kept: KeptRow[] = [];
  const runs = newRuns(options.width);
  let labelCount = 0;
  for await (const { row, fill } of source) {
    fill(runs);
    const labels = labelRow(runs, kept.at(-1) ?? null, regions, options, row);
    for (const label of labels) if (label >= labelCount) labelCount = label + 1;
    kept.push({ starts: runs.starts.slice(0, runs.count + 1), labels });
  }
  const roots = new Int32Array(labelCount);
  for (let label = 0; label < labelCount; label++) roots[label] = regions.find(label);
  const neighbours = largestNeighbours(kept, roots, regions, options.connectivity);

  const targets = mergeTargets(roots, neighbours, (root) => options.isSmall(regions.pixels[root]!, regions.area[root]!));
  const values = new Float64Array(labelCount);
  for (let label = 0; label < labelCount; label++) values[label] = regions.value[targets[roots[label]!]!]!;
  return {
    *rows(wanted) {
      for (const [row, line] of kept.entries()) yield { row, fill: (out) => fillRow(out, line, values, wanted) };
    },
  };
}

/** Labels of the runs of a row, united with those above. */
function labelRow(runs: Runs, above: KeptRow | null, regions: Regions, options: SieveOptions, row: number): Int32Array {
  const labels = new Int32Array(runs.count).fill(-1);
  const reach = options.connectivity === 8 ? 1 : 0;
  const weight = options.rowArea(row);
  let k = 0;
  for (let j = 0; j < runs.count; j++) {
    const value = runs.values[j]!;
    if (value === OUTSIDE) continue;
    const [start, end] = [runs.starts[j]!, runs.starts[j + 1]!];
    let label = -1;
    if (above !== null) {
      while (k > 0 && above.starts[k]! > start - reach) k--;
      while (above.starts[k + 1]! <= start - reach) k++;
      for (let i = k; i < above.labels.length && above.starts[i]! < end + reach; i++) {
        const other = above.labels[i]!;
        if (other === -1 || regions.value[other] !== value) continue;
        if (label === -1) label = other;
        else regions.unite(label, other, true);
      }
    }
    if (label === -1) label = regions.create(value, row);
    const root = regions.find(label);
    regions.pixels[root]! += end - start;
    regions.area[root]! += (end - start) * weight;
    labels[j] = label;
  }
  return labels;
}

/** For each root the root whose value it takes, often itself. */
function mergeTargets(roots: Int32Array, neighbours: Int32Array, isSmall: (root: number) => boolean): Int32Array {
  const UNKNOWN = -1;
  const targets = new Int32Array(roots.length).fill(UNKNOWN);
  const path: number[] = [];
  for (const start of roots) {
    path.length = 0;
    const onPath = new Set<number>();
    let at = start;
    while (at !== -1 && targets[at] === UNKNOWN && isSmall(at) && !onPath.has(at)) {
      path.push(at);
      onPath.add(at);
      at = neighbours[at]!;
    }
    // The walk ended at a large region, at one that is decided, or in a circle of small ones that all stay.
    const found = at === -1 || onPath.has(at) ? -1 : targets[at] === UNKNOWN ? at : targets[at]!;
    const large = found !== -1 && !isSmall(found);
    if (at !== -1 && targets[at] === UNKNOWN && !onPath.has(at)) targets[at] = at;
    for (const root of path) targets[root] = large ? found : root;
  }
  return targets;
}

/** For each root the neighbouring root with most pixels, -1 for none; pixels are met row by row. */
function largestNeighbours(kept: readonly KeptRow[], roots: Int32Array, regions: Regions, connectivity: 4 | 8): Int32Array {
  const best = new Int32Array(roots.length).fill(-1);
  const { pixels } = regions;
  const meet = (labelA: number, labelB: number): void => {
    if (labelA === -1 || labelB === -1) return;
    const [a, b] = [roots[labelA]!, roots[labelB]!];
    if (a === b) return;
    if (best[a] === -1 || pixels[best[a]!]! < pixels[b]!) best[a] = b;
    if (best[b] === -1 || pixels[best[b]!]! < pixels[a]!) best[b] = a;
  };
  const diagonal = connectivity === 8;
  let above: KeptRow | null = null;
  for (const line of kept) {
    const { starts, labels } = line;
    let i = 0;
    for (let j = 0; j < labels.length; j++) {
      const [start, end, label] = [starts[j]!, starts[j + 1]!, labels[j]!];
      // The first pixel of a run meets what is above, beside that, and on its left.
      if (above !== null) {
        meet(label, labelAt(above, start));
        if (diagonal) meet(label, labelAt(above, start - 1));
        if (diagonal) meet(label, labelAt(above, start + 1));
      }
      if (j > 0) meet(label, labels[j - 1]!);
      // Others meet something new only where a run begins above; at a corner that is one pixel earlier.
      const reach = diagonal ? end + 1 : end;
      while (above !== null && i < above.labels.length && above.starts[i]! <= start) i++;
      for (let k = i; above !== null && k < above.labels.length && above.starts[k]! < reach; k++) meet(label, above.labels[k]!);
    }
    above = line;
  }
  return best;
}

function labelAt({ starts, labels }: KeptRow, x: number): number {
  let low = 0;
  let high = labels.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle]! <= x) low = middle;
    else high = middle - 1;
  }
  return labels[low]!;
}

/** Runs of a row with its new values; neighbours that became equal are one run. */
function fillRow(out: Runs, { starts, labels }: KeptRow, values: Float64Array, wanted: ReadonlySet<number> | null): void {
  out.starts[0] = -1;
  out.values[0] = OUTSIDE;
  let count = 1;
  for (let j = 1; j < labels.length; j++) {
    const label = labels[j]!;
    const real = label === -1 ? OUTSIDE : values[label]!;
    const value = wanted === null || wanted.has(real) ? real : OUTSIDE;
    if (value === out.values[count - 1]) continue;
    out.starts[count] = starts[j]!;
    out.values[count++] = value;
  }
  out.starts[count] = starts[labels.length]!;
  out.count = count;
}
