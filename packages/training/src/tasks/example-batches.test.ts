import type { ChipSet } from "@geolearn/data-prep";
import { describe, expect, test } from "vitest";

import { exampleBatches } from "./example-batches.ts";

const batchSize = 4;

/** Chips are numbers; `read` counts the batches it gave. */
function numbers(count: number): { readonly chips: ChipSet<readonly number[]>; readonly given: () => number } {
  let given = 0;
  const batches = Math.ceil(count / batchSize);
  const chips: ChipSet<readonly number[]> = {
    count,
    batches,
    names: Array.from({ length: count }, (_, i) => `chip ${i}`),
    async *read({ from = 0 } = {}) {
      for (let batch = from; batch < batches; batch++) {
        given++;
        yield await Promise.resolve(Array.from({ length: batchSize }, (_, place) => batch * batchSize + place));
      }
    },
  };
  return { chips, given: () => given };
}

async function shown(chips: ChipSet<readonly number[]>, count: number, tells: (chip: number) => boolean): Promise<number[]> {
  const found: number[] = [];
  const telling = (batch: readonly number[], place: number): boolean => tells(batch[place]!);
  for await (const [batch, places] of exampleBatches(chips, { batchSize, count, telling, signal: undefined }))
    found.push(...places.map((place) => batch[place]!));
  return found;
}

describe("chips that are shown", () => {
  test("are evenly spread where all tell something", async () => {
    const { chips, given } = numbers(40);
    expect(await shown(chips, 4, () => true)).toEqual([5, 15, 25, 35]);
    // each of the four batches once to choose and once to show
    expect(given()).toBe(8);
  });

  test("are those that tell something, near an even spread", async () => {
    expect(await shown(numbers(40).chips, 4, (chip) => chip % 3 === 0)).toEqual([6, 15, 24, 33]);
  });

  test.each([
    [[38], [38, 5, 15, 25]],
    [
      [0, 39],
      [0, 39, 5, 15],
    ],
    [
      [1, 2, 3, 7, 8],
      [1, 2, 3, 7],
    ],
    [[], [5, 15, 25, 35]],
  ])("are all of the few that tell something, first: %j", async (telling, expected) => {
    expect(await shown(numbers(40).chips, 4, (chip) => telling.includes(chip))).toEqual(expected);
  });

  test("are each chip once where there are fewer than asked for", async () => {
    expect(await shown(numbers(6).chips, 9, (chip) => chip > 3)).toEqual([4, 5, 0, 1, 2, 3]);
    expect(await shown(numbers(0).chips, 4, () => true)).toEqual([]);
  });
});
