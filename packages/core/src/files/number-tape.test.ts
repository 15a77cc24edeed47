import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";

import { describe, expect, it } from "vitest";

import { withFault } from "./faults.testing.ts";
import { NumberTape } from "./number-tape.ts";

/** The tape's numbers from the last pair to the first, made ready `step` pairs at a time. */
async function readBack(tape: NumberTape, step: number): Promise<Float64Array> {
  const reader = tape.backwards();
  const numbers = new Float64Array(2 * tape.length);
  for (let k = 0; k < tape.length; k++) {
    if (k % step === 0) await reader.ensure(step);
    numbers.set(reader.next(), 2 * k);
  }
  return numbers;
}

describe("NumberTape", () => {
  const pair = (i: number): [number, number] => [(i * 2654435761) >>> 0, i];

  it.each([
    [0, 0],
    [1, 0],
    [32_767, 0],
    [32_768, 0],
    [32_769, 1 << 20],
    [100_000, 0],
    [100_000, 1 << 30],
  ])("gives %i pairs back from the last to the first, with %i bytes of memory", async (count, memory) => {
    const tape = new NumberTape(memory);
    for (let i = 0; i < count; i++) {
      tape.append(...pair(i));
      if (i % 1000 === 0) await tape.settle();
    }
    expect(tape.length).toBe(count);
    const expected = Float64Array.from({ length: 2 * count }, (_, i) => pair(count - 1 - (i >> 1))[i & 1]!);
    for (const step of [7, 40_000])
      expect(Buffer.compare(Buffer.from((await readBack(tape, step)).buffer), Buffer.from(expected.buffer))).toBe(0);
    await tape.dispose();
    await tape.dispose();
  });

  it("says that the disk is full, and leaves nothing", async () => {
    const before = await readdir(tmpdir());
    const { error } = await withFault(2, "ENOSPC", async () => {
      const tape = new NumberTape(0);
      try {
        for (let i = 0; i < 100_000; i++) tape.append(i, i);
        await tape.settle();
      } finally {
        await tape.dispose();
      }
    });
    expect(error).toMatchObject({ code: "DISK_FULL" });
    const left = (await readdir(tmpdir())).filter((name) => name.includes("geolearn-tape") && !before.includes(name));
    expect(left).toEqual([]);
  });
});
