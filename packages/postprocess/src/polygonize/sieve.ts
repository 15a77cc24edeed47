/**
 * Small regions given to their largest neighbour, by the rule of gdal_sieve: sizes and neighbours are those of the input; of
 * equally large neighbours the first met wins; a region whose largest neighbour is itself small stays as it is.
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

  const small = (root: number): boolean => options.isSmall(regions.pixels[root]!, regions.area[root]!);
  const values = new Float64Array(labelCount);
  for (let label = 0; label < labelCount; label++) {
    const root = roots[label]!;
    const neighbour = neighbours[root]!;
    values[label] = regions.value[neighbour !== -1 && small(root) && !small(neighbour) ? neighbour : root]!;
  }
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
  let above: KeptRow | null = null;
  for (const line of kept) {
    const { starts, labels } = line;
    let i = 0;
    for (let j = 0; j < labels.length; j++) {
      const [start, end] = [starts[j]!, starts[j + 1]!];
      if (j > 0) meetAt(start, labels[j]!, above, labels[j - 1]!);
      else if (above !== null) meetAbove(start, labels[j]!, above);
      for (; above !== null && i < above.labels.length - 1 && above.starts[i + 1]! < end; i++) {
        if (above.starts[i + 1]! > start) meetAbove(above.starts[i + 1]!, labels[j]!, above);
      }
    }
    above = line;
  }
  return best;

  /** A run begins: its first pixel meets what is above, then what is left of it. */
  function meetAt(x: number, label: number, upper: KeptRow | null, left: number): void {
    if (upper !== null) meetAbove(x, label, upper);
    meet(label, left);
  }

  /** The pixel at x meets the one above, and with 8-connectivity the two beside that. */
  function meetAbove(x: number, label: number, upper: KeptRow): void {
    if (connectivity === 8) meet(label, labelAt(upper, x - 1));
    meet(label, labelAt(upper, x));
    if (connectivity === 8) meet(label, labelAt(upper, x + 1));
  }
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
