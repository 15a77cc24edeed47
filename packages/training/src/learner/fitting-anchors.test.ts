import { describe, expect, test } from "vitest";

import { squareData } from "../testing/memory-objects.ts";
import { fittingAnchors } from "./fitting-anchors.ts";

const plain = { bands: 3, classes: 2 };

/** The squares of the test data, 14 to 27 pixels, this many times as large, on chips as much larger. */
function squares(factor: number): ReturnType<typeof squareData> {
  const data = squareData();
  const read: (typeof data)["train"]["read"] = async function* (options) {
    for await (const batch of data.train.read(options)) yield { ...batch, boxes: batch.boxes.map((side) => factor * side) };
  };
  return { ...data, chipWidth: 64 * factor, chipHeight: 64 * factor, train: { ...data.train, read } };
}

describe("anchors follow the data", () => {
  test("small objects get small anchors, the same each time, and a line says so", async () => {
    const lines: string[] = [];
    const of = () => fittingAnchors("retinanet", plain, squares(1), { log: (line) => lines.push(line) });
    const { anchors } = await of();
    expect(anchors!.sizes[0]).toBeLessThan(20);
    expect(await of()).toEqual({ anchors });
    expect(lines[0]).toMatch(/^Anchors are .* pixels, after the objects: an anchor overlaps \d+ % .* default ones \d+ %.*anchors\.sizes/);
    expect(lines[1]).toBe(lines[0]);
  });

  test("objects the defaults fit, networks without sizes, and no objects change nothing", async () => {
    const lines: string[] = [];
    const log = (line: string): void => void lines.push(line);
    expect(await fittingAnchors("retinanet", plain, squares(4), { log })).toEqual({});
    expect(await fittingAnchors("fcos", plain, squares(1), { log })).toEqual({});
    expect(await fittingAnchors("ssd", plain, squares(1), { log })).toEqual({});
    expect(await fittingAnchors("retinanet", plain, squareData({ train: 0 }), { log })).toEqual({});
    expect(lines).toEqual([]);
  });
});
