/**
 * The final size of the region of every label, ahead of time: a first reading of the rows notes what becomes of each label,
 * read backwards that tells the size a label's region will have, and read backwards again it comes in the order in which a
 * second reading makes the labels. The notes are on disk when they are many; memory holds what one row has.
 */

import { NumberTape, type TapeReader } from "@geolearn/core";

import { type Runs, newRuns } from "../polygonize/runs.ts";
import { RunLabels } from "./run-labels.ts";
import type { FillableRow, SieveOptions } from "./sieve.ts";

/** What will have become of a label's region. */
export interface RegionSize {
  /** The same for all labels of a region. */
  readonly id: number;
  readonly pixels: number;
  readonly small: boolean;
}

/** Sizes in the order in which labels are made. */
export class RegionSizes {
  readonly #tape: NumberTape;
  readonly #reader: TapeReader;

  constructor(tape: NumberTape) {
    this.#tape = tape;
    this.#reader = tape.backwards();
  }

  /** Makes the next `count` sizes available. */
  ensure(count: number): Promise<void> {
    return this.#reader.ensure(count);
  }

  /** The size for the next label that is made. */
  next(): RegionSize {
    const [word, pixels] = this.#reader.next();
    return { id: Math.floor(word / 2), pixels, small: word % 2 === 1 };
  }

  dispose(): Promise<void> {
    return this.#tape.dispose();
  }
}

// What a note says of the label in its first number, which is 4 * label + kind; the second number depends on the kind.
const CREATED = 0;
/** Second number: the label it became part of. */
const MERGED = 1;
/** Second number: pixels of its region. */
const LARGE = 2;
const SMALL = 3;

/** Reads all rows once. */
export async function regionSizes(rows: AsyncIterable<FillableRow>, options: SieveOptions): Promise<RegionSizes> {
  const notes = new NumberTape();
  const sizes = new NumberTape();
  try {
    const labels: RunLabels = new RunLabels(options.connectivity, {
      created: (label) => notes.append(4 * label + CREATED, 0),
      merged: (gone, label) => notes.append(4 * gone + MERGED, label),
      finished: (label) =>
        notes.append(4 * label + (options.isSmall(labels.pixels[label]!, labels.area[label]!) ? SMALL : LARGE), labels.pixels[label]!),
    });
    const runs: Runs = newRuns(options.width);
    for await (const { row, fill } of rows) {
      fill(runs);
      labels.advance(runs, options.rowArea(row));
      await notes.settle();
    }
    labels.end();
    await resolve(notes, sizes);
    return new RegionSizes(sizes);
  } catch (error) {
    await sizes.dispose();
    throw error;
  } finally {
    await notes.dispose();
  }
}

/** Reads the notes from the last to the first and writes, for each label that was made, what its region became. */
async function resolve(notes: NumberTape, sizes: NumberTape): Promise<void> {
  const reader = notes.backwards();
  /** First and second number for {@link RegionSizes}, by label. */
  const words: number[] = [];
  const pixels: number[] = [];
  let regions = 0;
  for (let left = notes.length; left > 0; left--) {
    if (left % 4096 === 0 || left === notes.length) {
      await reader.ensure(Math.min(left, 4096));
      await sizes.settle();
    }
    const [word, second] = reader.next();
    const label = Math.floor(word / 4);
    const kind = word % 4;
    if (kind === CREATED) sizes.append(words[label]!, pixels[label]!);
    else if (kind === MERGED) {
      words[label] = words[second]!;
      pixels[label] = pixels[second]!;
    } else {
      words[label] = 2 * regions++ + (kind === SMALL ? 1 : 0);
      pixels[label] = second;
    }
  }
}
