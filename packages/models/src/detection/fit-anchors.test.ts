import { boxIou, createRng } from "@geolearn/core";
import { describe, expect, it } from "vitest";

import { resolveFasterRCNNConfig } from "../rcnn/config.ts";
import { anchorLevels as rcnnLevels } from "../rcnn/proposals.ts";
import { resolveRetinaNetConfig } from "../retinanet/config.ts";
import { anchorLevels as retinaLevels } from "../retinanet/retinanet.ts";
import { fitAnchors } from "./fit-anchors.ts";

const image = { height: 256, width: 384 };
const plain = { bands: 3, classes: 1 };

/** Boxes of sides between two limits, anywhere in the image. */
function boxesOf(from: number, to: number, count = 60): Float32Array {
  const rng = createRng(from);
  const side = (): number => from + (to - from) * rng.next();
  return Float32Array.from(
    Array.from({ length: count }, () => {
      const [width, height] = [side(), side()];
      const [x, y] = [(image.width - width) * rng.next(), (image.height - height) * rng.next()];
      return [x, y, x + width, y + height];
    }).flat(),
  );
}

/** Share of the boxes that one of all anchors, which tests compare with torchvision's, overlaps by half or more. */
function shareOf(boxes: Float32Array, levels: readonly Float32Array[]): number {
  const fits = (i: number): boolean =>
    levels.some((level) => {
      for (let a = 0; a < level.length / 4; a++) if (boxIou(boxes, i, level, a) >= 0.5) return true;
      return false;
    });
  return Array.from({ length: boxes.length / 4 }, (_, i) => fits(i)).filter(Boolean).length / (boxes.length / 4);
}

describe("shares are those of the network's own anchors", () => {
  it.each([
    [8, 14],
    [18, 40],
    [40, 200],
  ])("of boxes from %d to %d pixels", (from, to) => {
    const boxes = boxesOf(from, to);
    const retina = fitAnchors("retinanet", plain, image, boxes)!;
    const ofRetina = (sizes?: readonly number[]): number =>
      shareOf(boxes, retinaLevels(resolveRetinaNetConfig({ ...plain, ...(sizes ? { anchors: { sizes } } : {}) }), image));
    expect([retina.before, retina.after]).toEqual([ofRetina(), ofRetina(retina.sizes)]);
    const compact = { ...plain, preset: "compact" } as const;
    const faster = fitAnchors("faster-rcnn", compact, image, boxes)!;
    const ofFaster = (sizes?: readonly number[]): number =>
      shareOf(boxes, rcnnLevels(resolveFasterRCNNConfig({ ...compact, ...(sizes ? { anchors: { sizes } } : {}) }), image));
    expect([faster.before, faster.after]).toEqual([ofFaster(), ofFaster(faster.sizes)]);
  });
});

describe("sizes follow the boxes", () => {
  it("small ones that the defaults miss", () => {
    const { sizes, before, after } = fitAnchors("retinanet", plain, image, boxesOf(9, 13))!;
    expect(before).toBe(0);
    // The finest map has a cell each 8 pixels: a box between two cells overlaps neither by half, whatever the sizes.
    expect(after).toBeGreaterThan(0.5);
    expect(sizes[0]).toBeGreaterThanOrEqual(4);
    expect(sizes[0]).toBeLessThanOrEqual(13);
    expect(sizes.every((size, i) => size === sizes[0]! * 2 ** i)).toBe(true);
  });

  it("large ones, which the defaults fit already", () => {
    const { before } = fitAnchors("retinanet", plain, image, boxesOf(60, 120))!;
    expect(before).toBeGreaterThan(0.95);
  });

  it("the same for the same boxes, and for networks with sizes only", () => {
    const boxes = boxesOf(10, 20);
    expect(fitAnchors("mask-rcnn", plain, image, boxes)).toEqual(fitAnchors("mask-rcnn", plain, image, boxes));
    expect(fitAnchors("ssd", plain, image, boxes)).toBeNull();
    expect(fitAnchors("retinanet", plain, image, new Float32Array())).toBeNull();
  });
});
