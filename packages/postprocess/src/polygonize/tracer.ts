/**
 * Outlines of regions of equal value, traced along pixel edges while rows go by from top to bottom. Between two rows only
 * the places where a run begins in one of them matter; there, each of the (up to four) regions that meet gets its outline
 * continued, begun, or closed. Memory holds what is open, and a limit on that: beyond it the largest regions are cut.
 */

import { CONVEX_START, Chains, NODE, PINCH, START } from "./chains.ts";
import { cutLargest } from "./cut-regions.ts";
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
}

/** Changes outlines before they are handed on, a band of rows at a time. */
export interface BandWork {
  /** Points after which a band ends. */
  readonly bandVertices: number;
  /** Works on the vertices in `chains.made`: those from line `top` of the lattice to line `bottom`. */
  run(chains: Chains, top: number, bottom: number): void;
}

/** Options of {@link RegionTracer}. */
export interface TracerOptions {
  readonly width: number;
  readonly connectivity: 4 | 8;
  /** Points of outlines in memory; beyond them the largest open regions are cut along a row. */
  readonly maxVertices: number;
  /** What is done to outlines in bands, null for nothing. */
  readonly bands: BandWork | null;
  /** Whether a finished region is handed on. */
  readonly keeps: (pixels: number, area: number) => boolean;
  readonly onRegion: (region: TracedRegion) => void;
  /** Told once for each region that was cut. */
  readonly onCut: () => void;
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

/** Takes rows of runs, hands on regions as soon as they can grow no more (with bands: as soon as their last band is done). */
export class RegionTracer {
  readonly #options: TracerOptions;
  readonly #chains: Chains;
  readonly #regions: Regions;
  readonly #rings: RingCollector;
  /** Finished regions that wait for the end of the band. */
  readonly #waiting: number[] = [];
  #above: Row;
  #below: Row;
  #y = 0;
  /** Line where the band began. */
  #top = 0;

  constructor(options: TracerOptions) {
    this.#options = options;
    this.#chains = new Chains(options.bands !== null);
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

  /** Points of outlines in memory. */
  get vertices(): number {
    return this.#chains.inUse;
  }

  /** Takes the row in {@link nextRuns}; each of its pixels weighs `pixelArea`. */
  advance(pixelArea: number): void {
    this.#step(pixelArea, this.#y === 0);
  }

  /** Closes everything below the last row. */
  end(): void {
    setOutside(this.#below.runs, this.#options.width);
    this.#step(0, true);
  }

  #step(pixelArea: number, border: boolean): void {
    const { bands, maxVertices, onCut } = this.#options;
    const full = this.#chains.inUse > maxVertices;
    if (full) {
      const { runs, labels } = this.#above;
      cutLargest(this.#chains, this.#regions, runs, labels, maxVertices / 2, onCut);
    }
    const line = bands !== null && (border || full || this.#chains.madeCount >= bands.bandVertices);
    this.#label(pixelArea);
    this.#trace(line);
    this.#finishRegions();
    if (line) this.#endBand(bands);
    this.#regions.recycle();
    [this.#above, this.#below] = [this.#below, this.#above];
    this.#y++;
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
      let belowCut = false;
      for (let i = k; i < aboveCount && aboveStarts[i]! < end + reach; i++) {
        if (aboveValues[i] !== value) {
          if (Number.isNaN(aboveValues[i]!) && regions.value[aboveLabels[i]!] === value) belowCut = true;
          continue;
        }
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
      if (belowCut) regions.cut[root] = 1;
      regions.pixels[root]! += end - start;
      regions.area[root]! += (end - start) * pixelArea;
      regions.lastRow[root] = this.#y;
    }
  }

  /** Visits the lattice points between the rows where an edge goes up or down. On a `line` between bands each of them is a node. */
  #trace(line: boolean): void {
    const { runs: above, leftTips: upLeftTips, rightTips: upRightTips } = this.#above;
    const { runs: below, labels, leftTips, rightTips } = this.#below;
    const { starts: aboveStarts, values: aboveValues } = above;
    const { starts, values } = below;
    const aboveLast = above.count - 1;
    const last = below.count - 1;
    const chains = this.#chains;
    const regions = this.#regions;
    const keepNodes = this.#options.bands !== null;
    const onLine = line ? NODE : 0;
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
          leftTips[j] = line && sw !== OUTSIDE ? chains.extend(upLeft, x, y, NODE) : upLeft;
          rightTips[j] = line && se !== OUTSIDE ? chains.extend(upRight, x, y, NODE) : upRight;
        } else if (up && right) {
          overTip = ne === OUTSIDE ? -1 : chains.extend(upRight, x, y, onLine);
          underTip = nw === OUTSIDE ? -1 : chains.extend(upLeft, x, y, onLine);
        } else if (left && down) {
          leftTips[j] = sw === OUTSIDE ? -1 : chains.extend(underTip, x, y, onLine);
          rightTips[j] = se === OUTSIDE ? -1 : chains.extend(overTip, x, y, onLine);
        } else if (up) {
          if (nw !== OUTSIDE) chains.join(overTip, upLeft, x, y, onLine);
          if (ne !== OUTSIDE) chains.join(underTip, upRight, x, y, onLine);
        } else {
          // Both ends of a new chain are its first vertex.
          underTip = rightTips[j] = se === OUTSIDE ? -1 : chains.add(x, y, onLine | START | CONVEX_START);
          overTip = leftTips[j] = sw === OUTSIDE ? -1 : chains.add(x, y, onLine | START);
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
        underTip = rightTips[j] = se === OUTSIDE ? -1 : chains.add(x, y, START | CONVEX_START | node | (nw === se ? PINCH : 0));
        if (underTip !== -1) regions.addStart(labels[j]!, underTip);
      } else if (right) underTip = se !== OUTSIDE && keepNodes ? chains.extend(under, x, y, node) : under;
      else if (down) rightTips[j] = se !== OUTSIDE && keepNodes ? chains.extend(upRight, x, y, node) : upRight;
    }
  }

  /** Hands on the regions of the row above that the new row did not continue, or lets them wait for the end of the band. */
  #finishRegions(): void {
    const { runs, labels } = this.#above;
    const regions = this.#regions;
    for (let i = 0; i < runs.count; i++) {
      if (labels[i] === -1) continue;
      const root = regions.find(labels[i]!);
      if (regions.lastRow[root] !== this.#y - 1) continue;
      regions.lastRow[root] = this.#y; // done; another run of the same region must not come here again
      // The pieces of a region that was cut belong together: none is too small.
      if (regions.cut[root] === 0 && !this.#options.keeps(regions.pixels[root]!, regions.area[root]!)) {
        this.#rings.collect(root, false);
        regions.retire(root);
      } else if (this.#options.bands === null) this.#handOn(root);
      else this.#waiting.push(root);
    }
  }

  #handOn(root: number): void {
    const { value, pixels, area } = this.#regions;
    const parts = this.#rings.collect(root, true);
    this.#options.onRegion({ value: value[root]!, pixels: pixels[root]!, area: area[root]!, parts, points: this.#rings.points });
    this.#regions.retire(root);
  }

  #endBand(bands: BandWork): void {
    bands.run(this.#chains, this.#top, this.#y);
    this.#top = this.#y;
    for (const root of this.#waiting) this.#handOn(root);
    this.#waiting.length = 0;
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
