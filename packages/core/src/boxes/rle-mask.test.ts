import { describe, expect, test } from "vitest";

import { askPeers, withPeers } from "../metrics/peers.testing.ts";
import { createRng } from "../rng.ts";
import { type RleMask, decodeMask, encodeMask, maskArea, maskBounds, maskFromText, maskIou, maskToText } from "./rle-mask.ts";

const invalid = expect.objectContaining({ code: "INVALID_ARGUMENT" });
const rng = createRng(77);

/** Noise, blobs, stripes, all and nothing, in sizes that are no squares. */
function masks(): { width: number; height: number; pixels: Uint8Array }[] {
  const sizes = [
    [1, 1],
    [7, 3],
    [3, 7],
    [64, 40],
    [200, 1],
    [1, 200],
    [90, 70],
  ] as const;
  const rules: ((x: number, y: number) => boolean)[] = [
    () => false,
    () => true,
    () => rng.next() < 0.5,
    () => rng.next() < 0.02,
    (x, y) => (x - 20) ** 2 + (y - 10) ** 2 < 90,
    (x) => x % 3 === 0,
    (_, y) => y % 4 < 2,
  ];
  return sizes.flatMap(([width, height]) =>
    rules.map((rule) => ({
      width,
      height,
      pixels: Uint8Array.from({ length: width * height }, (_, i) => (rule(i % width, Math.floor(i / width)) ? 1 : 0)),
    })),
  );
}

describe("masks as runs", () => {
  test("columns from the top left, zeros first", () => {
    // 1 0 0
    // 1 1 0
    const mask = encodeMask([1, 0, 0, 5, 1, 0], 3, 2);
    expect([...mask.counts]).toEqual([0, 2, 1, 1, 2]);
    expect([...decodeMask(mask)]).toEqual([1, 0, 0, 1, 1, 0]);
    expect(maskArea(mask)).toBe(3);
    expect(maskBounds(mask)).toEqual([0, 0, 2, 2]);
  });

  test("pixels and text come back", () => {
    for (const { width, height, pixels } of masks()) {
      const mask = encodeMask(pixels, width, height);
      expect(Buffer.compare(decodeMask(mask), pixels)).toBe(0);
      expect(maskFromText(maskToText(mask), width, height)).toEqual(mask);
    }
  });

  test("runs of a scene beyond 2^30 pixels", () => {
    const mask: RleMask = {
      width: 40_000,
      height: 40_000,
      counts: Uint32Array.of(3, 5, 1_400_000_000, 1, 40_000 * 40_000 - 1_400_000_009),
    };
    expect(maskFromText(maskToText(mask), mask.width, mask.height)).toEqual(mask);
    expect(maskIou(mask, mask)).toBe(1);
  });

  test("refuses what is no mask", () => {
    expect(() => encodeMask([1], 2, 1)).toThrow(invalid);
    expect(() => decodeMask({ width: 2, height: 2, counts: Uint32Array.of(3) })).toThrow(invalid);
    expect(() => decodeMask({ width: 2, height: 2, counts: Uint32Array.of(0, 5) })).toThrow(invalid);
    for (const text of ["4`", "\u0001", "`````````0", "oo0", "14"]) expect(() => maskFromText(text, 2, 2), text).toThrow(invalid);
    expect(() => maskIou(encodeMask([1], 1, 1), encodeMask([1, 1], 2, 1))).toThrow(invalid);
  });

  test.skipIf(!withPeers)("text, area, box and IoU equal pycocotools'", () => {
    const all = masks();
    const answers = askPeers<{ counts: string; area: number; bounds: number[]; ious: number[] }[]>("masks", {
      masks: all.map(({ width, height, pixels }) => ({ width, height, pixels: Buffer.from(pixels).toString("base64") })),
    });
    for (const [k, { width, height, pixels }] of all.entries()) {
      const mask = encodeMask(pixels, width, height);
      const theirs = answers[k]!;
      expect(maskToText(mask)).toBe(theirs.counts);
      expect(maskArea(mask)).toBe(theirs.area);
      const [xmin, ymin, xmax, ymax] = maskBounds(mask);
      expect([xmin, ymin, xmax - xmin, ymax - ymin]).toEqual(theirs.bounds);
      const others = all.filter((other) => other.width === width && other.height === height);
      expect(others.map((other) => maskIou(mask, encodeMask(other.pixels, width, height)))).toEqual(theirs.ious);
    }
  });
});
