/**
 * Labels of regions while rows of runs go by. A label belongs to one region as long as a run of the last row has it; then it
 * is given back and used again, so there are never more than a row has runs. The same rows give the same labels.
 */

import { OUTSIDE, type Runs } from "../polygonize/runs.ts";

/** Told what becomes of labels, in the order of events. */
export interface LabelEvents {
  created(label: number): void;
  /** `gone` turned out to be the region of `label`. */
  merged(gone: number, label: number): void;
  /** No row below belongs to the region. */
  finished(label: number): void;
}

/** Gives labels to runs. */
export class RunLabels {
  /** Value, pixels and weight of a region, by the label it has in the last row. */
  value: Float64Array = new Float64Array(0);
  pixels: Float64Array = new Float64Array(0);
  area: Float64Array = new Float64Array(0);
  readonly #reach: number;
  readonly #events: LabelEvents;
  #parent: Int32Array = new Int32Array(0);
  /** 1 when the row at hand goes on with the region. */
  #goesOn: Uint8Array = new Uint8Array(0);
  readonly #free: number[] = [];
  /** Labels that ended with the row at hand. */
  readonly #ended: number[] = [];
  #used = 0;
  #above: { readonly starts: Int32Array; readonly labels: Int32Array } | null = null;

  constructor(connectivity: 4 | 8, events: LabelEvents) {
    this.#reach = connectivity === 8 ? 1 : 0;
    this.#events = events;
  }

  /** Labels of the runs of the next row, -1 outside; each pixel weighs `weight`. */
  advance(runs: Runs, weight: number): Int32Array {
    const labels = new Int32Array(runs.count).fill(-1);
    let k = 0;
    for (let j = 0; j < runs.count; j++) {
      const value = runs.values[j]!;
      if (value === OUTSIDE) continue;
      const [start, end] = [runs.starts[j]!, runs.starts[j + 1]!];
      let label = -1;
      if (this.#above !== null) {
        const { starts, labels: above } = this.#above;
        while (k > 0 && starts[k]! > start - this.#reach) k--;
        while (starts[k + 1]! <= start - this.#reach) k++;
        for (let i = k; i < above.length && starts[i]! < end + this.#reach; i++) {
          if (above[i] === -1) continue;
          const other = this.#find(above[i]!);
          if (this.value[other] !== value) continue;
          if (label === -1) label = other;
          else if (label !== other) this.#merge(other, label);
        }
      }
      if (label === -1) label = this.#create(value);
      this.#goesOn[label] = 1;
      this.pixels[label]! += end - start;
      this.area[label]! += (end - start) * weight;
      labels[j] = label;
    }
    for (let j = 0; j < labels.length; j++) if (labels[j] !== -1) labels[j] = this.#find(labels[j]!);
    this.#endRow();
    this.#above = { starts: runs.starts.slice(0, runs.count + 1), labels };
    return labels;
  }

  /** Finishes the regions of the last row. */
  end(): void {
    this.#endRow();
    this.#above = null;
  }

  #endRow(): void {
    for (const label of this.#above?.labels ?? []) {
      if (label === -1 || this.#parent[label] !== label || this.#goesOn[label] === 1) continue;
      this.#goesOn[label] = 1; // met again further along the row
      this.#ended.push(label);
      this.#events.finished(label);
    }
    this.#goesOn.fill(0);
    this.#free.push(...this.#ended.splice(0));
  }

  #create(value: number): number {
    const label = this.#free.pop() ?? this.#used++;
    if (label >= this.#parent.length) this.#grow(Math.max(1024, 2 * label));
    this.#parent[label] = label;
    this.value[label] = value;
    this.pixels[label] = 0;
    this.area[label] = 0;
    this.#events.created(label);
    return label;
  }

  #merge(gone: number, label: number): void {
    this.#parent[gone] = label;
    this.pixels[label]! += this.pixels[gone]!;
    this.area[label]! += this.area[gone]!;
    this.#ended.push(gone);
    this.#events.merged(gone, label);
  }

  #find(label: number): number {
    const parent = this.#parent;
    let at = label;
    while (parent[at] !== at) {
      parent[at] = parent[parent[at]!]!;
      at = parent[at]!;
    }
    return at;
  }

  #grow(capacity: number): void {
    const longer = <T extends Float64Array | Int32Array | Uint8Array>(old: T, next: T): T => {
      next.set(old);
      return next;
    };
    this.value = longer(this.value, new Float64Array(capacity));
    this.pixels = longer(this.pixels, new Float64Array(capacity));
    this.area = longer(this.area, new Float64Array(capacity));
    this.#parent = longer(this.#parent, new Int32Array(capacity));
    this.#goesOn = longer(this.#goesOn, new Uint8Array(capacity));
  }
}
