/**
 * Outlines of regions of equal value, traced along pixel edges while rows go by from top to bottom. Between two rows only
 * the places where a run begins in one of them matter; there, each of the (up to four) regions that meet gets its outline
 * continued, begun, or closed. Memory holds what is open.
 */

import { CONVEX_START, Chains, NODE, PINCH } from "./chains.ts";
import { Regions } from "./regions.ts";
import { type Ring, RingCollector } from "./rings.ts";
import { OUTSIDE, type Runs, newRuns } from "./runs.ts";

/** A finished region. */
export interface TracedRegion {
  readonly value: number;
  readonly pixels: number;
  /** Sum of the row weights of its pixels. */
  readonly area: number;
  /** 4-connected parts, each an outer ring and then its holes; one part unless the region is 8-connected. */
  readonly parts: readonly (readonly Ring[])[];
  /** Where the rings have their points; overwritten after the call that hands the region on. */
  readonly points: Int32Array;
  readonly nodes: Uint8Array;
}

/** Options of {@link RegionTracer}. */
export interface TracerOptions {
  readonly width: number;
  readonly connectivity: 4 | 8;
  /** Keep the points where three or more outlines meet, also on straight edges. */
  readonly keepNodes: boolean;
  /** Whether a finished region is handed on. */
  readonly keeps: (pixels: number, area: number) => boolean;
  readonly onRegion: (region: TracedRegion) => void;
}

/** One row and what hangs on its runs. */
interface Row {
  runs: Runs;
  /** Label of each run, -1 outside. */
  labels: Int32Array;
  /** Open ends on the edge at the start of run k: of the region on its left, and on its right; -1 outside. */
  leftTips: Int32Array;
  rightTips: Int32Array;
}

/** Takes rows of runs, hands on regions as soon as they can grow no more. */
export class RegionTracer {
  readonly #options: TracerOptions;
  readonly #chains = new Chains();
  readonly #regions: Regions;
  readonly #rings: RingCollector;
  #above: Row;
  #below: Row;
  #y = 0;

  constructor(options: TracerOptions) {
    this.#options = options;
    this.#regions = new Regions(options.connectivity, this.#chains);
    this.#rings = new RingCollector(this.#chains, this.#regions);
    this.#above = newRow(options.width);
    this.#below = newRow(options.width);
    setOutside(this.#above.runs, options.width);
    this.#above.labels.fill(-1, 0, 2);
  }

  /** The runs to fill for the next call of {@link advance}. */
  get nextRuns(): Runs {
    return this.#below.runs;
  }

  /** Takes the row in {@link nextRuns}; each of its pixels weighs `pixelArea`. */
  advance(pixelArea: number): void {
    this.#label(pixelArea);
    this.#trace();
    this.#finishRegions();
    [this.#above, this.#below] = [this.#below, this.#above];
    this.#y++;
  }

  /** Closes everything below the last row. */
  end(): void {
    setOutside(this.#below.runs, this.#options.width);
    this.advance(0);
  }

  /** Gives each run of the new row the label of what it touches above. */
  #label(pixelArea: number): void {
    const { starts: aboveStarts, values: aboveValues, count: aboveCount } = this.#above.runs;
    const { starts, values, count } = this.#below.runs;
    const aboveLabels = this.#above.labels;
    const labels = this.#below.labels;
    const regions = this.#regions;
    const reach = this.#options.connectivity === 8 ? 1 : 0;
    let k = 0;
    for (let j = 0; j < count; j++) {
      const value = values[j]!;
      if (value === OUTSIDE) {
        labels[j] = -1;
        continue;
      }
      const start = starts[j]!;
      const end = starts[j + 1]!;
      while (k > 0 && aboveStarts[k]! > start - reach) k--;
      while (k < aboveCount && aboveStarts[k + 1]! <= start - reach) k++;
      let label = -1;
      for (let i = k; i < aboveCount && aboveStarts[i]! < end + reach; i++) {
        if (aboveValues[i] !== value) continue;
        const sharesEdge = aboveStarts[i]! < end && aboveStarts[i + 1]! > start;
        if (label === -1 && sharesEdge) label = aboveLabels[i]!;
        else if (label !== -1) regions.unite(label, aboveLabels[i]!, sharesEdge);
      }
      if (label === -1) label = regions.create(value, this.#y);
      labels[j] = label;
      if (reach === 1) {
        // A run that begins its own part may still touch the region above by a corner.
        for (let i = k; i < aboveCount && aboveStarts[i]! < end + reach; i++) {
          if (aboveValues[i] === value) regions.unite(label, aboveLabels[i]!, aboveStarts[i]! < end && aboveStarts[i + 1]! > start);
        }
      }
      const root = regions.find(label);
      regions.pixels[root]! += end - start;
      regions.area[root]! += (end - start) * pixelArea;
      regions.lastRow[root] = this.#y;
    }
  }

  /** Visits the lattice points between the rows where an edge goes up or down. */
  #trace(): void {
    const { runs: above, leftTips: upLeftTips, rightTips: upRightTips } = this.#above;
    const { runs: below, labels, leftTips, rightTips } = this.#below;
    const { starts: aboveStarts, values: aboveValues } = above;
    const { starts, values } = below;
    const aboveLast = above.count - 1;
    const last = below.count - 1;
    const chains = this.#chains;
    const regions = this.#regions;
    const keepNodes = this.#options.keepNodes;
    const y = this.#y;
    chains.reserve(4 * (above.count + below.count));

    // Open ends that run along this line of the lattice: of the region above it and of the one below.
    let overTip = -1;
    let underTip = -1;
    let i = 0;
    let j = 0;
    while (i < aboveLast || j < last) {
      const xUp = i < aboveLast ? aboveStarts[i + 1]! : Infinity;
      const xDown = j < last ? starts[j + 1]! : Infinity;
      const x = xUp < xDown ? xUp : xDown;
      const up = xUp === x;
      const down = xDown === x;
      const nw = aboveValues[i]!;
      const ne = up ? aboveValues[i + 1]! : nw;
      const sw = values[j]!;
      const se = down ? values[j + 1]! : sw;
      const left = nw !== sw;
      const right = ne !== se;
      let upLeft = -1;
      let upRight = -1;
      if (up) {
        i++;
        upLeft = upLeftTips[i]!;
        upRight = upRightTips[i]!;
      }
      if (down) j++;
      const edges = (up ? 1 : 0) + (down ? 1 : 0) + (left ? 1 : 0) + (right ? 1 : 0);

      if (edges === 2) {
        if (up && down) {
          leftTips[j] = upLeft;
          rightTips[j] = upRight;
        } else if (up && right) {
          overTip = ne === OUTSIDE ? -1 : chains.extend(upRight, x, y, 0);
          underTip = nw === OUTSIDE ? -1 : chains.extend(upLeft, x, y, 0);
        } else if (left && down) {
          leftTips[j] = sw === OUTSIDE ? -1 : chains.extend(underTip, x, y, 0);
          rightTips[j] = se === OUTSIDE ? -1 : chains.extend(overTip, x, y, 0);
        } else if (up) {
          if (nw !== OUTSIDE) chains.join(overTip, upLeft, x, y, 0);
          if (ne !== OUTSIDE) chains.join(underTip, upRight, x, y, 0);
        } else {
          // Both ends of a new chain are its first vertex.
          underTip = rightTips[j] = se === OUTSIDE ? -1 : chains.add(x, y, CONVEX_START);
          overTip = leftTips[j] = sw === OUTSIDE ? -1 : chains.add(x, y, 0);
          if (underTip !== -1) regions.addStart(labels[j]!, underTip);
          if (overTip !== -1) regions.addStart(labels[j - 1]!, overTip);
        }
        continue;
      }

      // Three or four edges: corners of single pixels, and one straight side where an edge is absent.
      const node = keepNodes ? NODE : 0;
      const over = overTip;
      const under = underTip;
      if (left && up && nw !== OUTSIDE) chains.join(over, upLeft, x, y, node | (nw === se ? PINCH : 0));
      if (up && right) overTip = ne === OUTSIDE ? -1 : chains.extend(upRight, x, y, node | (ne === sw ? PINCH : 0));
      else if (right) overTip = ne !== OUTSIDE && keepNodes ? chains.extend(over, x, y, node) : over;
      if (left && down) leftTips[j] = sw === OUTSIDE ? -1 : chains.extend(under, x, y, node | (ne === sw ? PINCH : 0));
      else if (down) leftTips[j] = sw !== OUTSIDE && keepNodes ? chains.extend(upLeft, x, y, node) : upLeft;
      if (down && right) {
        underTip = rightTips[j] = se === OUTSIDE ? -1 : chains.add(x, y, CONVEX_START | node | (nw === se ? PINCH : 0));
        if (underTip !== -1) regions.addStart(labels[j]!, underTip);
      } else if (right) underTip = se !== OUTSIDE && keepNodes ? chains.extend(under, x, y, node) : under;
      else if (down) rightTips[j] = se !== OUTSIDE && keepNodes ? chains.extend(upRight, x, y, node) : upRight;
    }
  }

  /** Hands on the regions of the row above that the new row did not continue. */
  #finishRegions(): void {
    const { runs, labels } = this.#above;
    const regions = this.#regions;
    for (let i = 0; i < runs.count; i++) {
      if (labels[i] === -1) continue;
      const root = regions.find(labels[i]!);
      if (regions.lastRow[root] !== this.#y - 1) continue;
      regions.lastRow[root] = this.#y; // done; another run of the same region must not come here again
      const [pixels, area] = [regions.pixels[root]!, regions.area[root]!];
      const kept = this.#options.keeps(pixels, area);
      const parts = this.#rings.collect(root, kept);
      const { points, nodes } = this.#rings;
      if (kept) this.#options.onRegion({ value: regions.value[root]!, pixels, area, parts, points, nodes });
      regions.retire(root);
    }
    regions.recycle();
  }
}

function newRow(width: number): Row {
  const length = width + 3;
  return { runs: newRuns(width), labels: new Int32Array(length), leftTips: new Int32Array(length), rightTips: new Int32Array(length) };
}

function setOutside(runs: Runs, width: number): void {
  runs.starts[0] = -1;
  runs.starts[1] = width + 1;
  runs.values[0] = OUTSIDE;
  runs.count = 1;
}
