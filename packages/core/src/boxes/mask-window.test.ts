import { describe, expect, test } from "vitest";

import { createRng } from "../rng.ts";
import { encodeWindow, type MaskWindow, pasteMask } from "./mask-window.ts";
import { encodeMask } from "./rle-mask.ts";

describe("encodeWindow", () => {
  test("gives the runs of the whole image, wherever the window lies", () => {
    const rng = createRng(4);
    const [width, height] = [9, 7];
    for (let round = 0; round < 200; round++) {
      const [left, top] = [rng.int(width), rng.int(height)];
      const [columns, rows] = [1 + rng.int(width - left), 1 + rng.int(height - top)];
      const bits = Uint8Array.from({ length: columns * rows }, () => (round % 3 === 0 ? 1 : rng.int(2)));
      const whole = new Uint8Array(width * height);
      for (let row = 0; row < rows; row++) whole.set(bits.subarray(row * columns, (row + 1) * columns), (top + row) * width + left);
      const window: MaskWindow = { left, top, width: columns, height: rows, bits };
      expect(encodeWindow(window, width, height)).toEqual(encodeMask(whole, width, height));
    }
    expect(encodeWindow(null, width, height)).toEqual(encodeMask(new Uint8Array(width * height), width, height));
  });
});

describe("pasteMask", () => {
  test("fills a box, halves it, and stays inside the bounds", () => {
    const full = { width: 4, height: 4, scores: new Float32Array(16).fill(1) };
    expect(pasteMask(full, [2.2, 3, 6.4, 5.7], [0, 0, 20, 20])).toMatchObject({ left: 2, top: 3, width: 4, height: 3 });
    expect(pasteMask(full, [-5, -5, 2, 3], [0, 0, 20, 20])).toMatchObject({ left: 0, top: 0, width: 2, height: 3 });
    expect(pasteMask(full, [3.6, 3.6, 4.4, 4.4], [0, 0, 20, 20])).toBeNull();
    const half = { width: 4, height: 4, scores: Float32Array.from({ length: 16 }, (_, i) => (i % 4 < 2 ? 1 : 0)) };
    const { bits, width } = pasteMask(half, [0, 0, 8, 8], [0, 0, 20, 20])!;
    expect([...bits.subarray(0, width)]).toEqual([1, 1, 1, 1, 0, 0, 0, 0]);
    expect(pasteMask({ ...half, scores: new Float32Array(16).fill(0.4) }, [0, 0, 8, 8], [0, 0, 20, 20])).toBeNull();
  });
});
