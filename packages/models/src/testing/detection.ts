/** What tests/oracles/retinanet.py fills a RetinaNet with, by torchvision's names. Used by tests only. */

import { inflateSync } from "node:zlib";

import type { HostTensor } from "@geolearn/engine";

import { sizeOf } from "../network/parameter-spec.ts";
import { pattern } from "./pattern.ts";

/** Names and shapes of a state dict, deflated. */
export function shapesOf(keys: string): Map<string, number[]> {
  const lines = inflateSync(Buffer.from(keys, "base64")).toString().split("\n");
  return new Map(lines.map((line) => [line.split(" ")[0]!, line.split(" ").slice(1).filter(Boolean).map(Number)]));
}

/** A state dict filled as the oracle fills it; `head` is how wide the weights of heads spread, null for as wide as all others. */
export function filled(shapes: ReadonlyMap<string, readonly number[]>, head: number | null): Map<string, HostTensor> {
  const state = new Map<string, HostTensor>();
  for (const [name, shape] of shapes) {
    const { centre, spread } = rangeOf(name, shape, head);
    const values = pattern(name, sizeOf(shape));
    for (let i = 0; i < values.length; i++) values[i] = centre + spread * values[i]!;
    state.set(name, { data: new Float32Array(values), shape, dtype: "float32" });
  }
  return state;
}

function rangeOf(name: string, shape: readonly number[], head: number | null): { centre: number; spread: number } {
  if (shape.length === 4)
    return { centre: 0, spread: head !== null && name.startsWith("head.") ? head : Math.sqrt(6 / sizeOf(shape.slice(1))) };
  if (name.endsWith("running_mean")) return { centre: 0, spread: 0.1 };
  if (name.endsWith("running_var")) return { centre: 1, spread: 0.3 };
  if (shape.length === 1 && name.endsWith("weight")) return { centre: 0.7, spread: 0.1 };
  if (head !== null && name === "head.classification_head.cls_logits.bias") return { centre: -4.5, spread: 0 };
  return { centre: 0, spread: 0.2 };
}

/** Objects of one chip as rows xmin, ymin, xmax, ymax, class. */
export type Truth = readonly (readonly number[])[];

/** Truths of a batch in slots; those without an object hold numbers that must not matter. */
export function slotted(truths: readonly Truth[], slots: number): { boxes: Float32Array; classIndices: Int32Array } {
  const boxes = new Float32Array(truths.length * slots * 4).fill(7);
  const classIndices = new Int32Array(truths.length * slots).fill(-1);
  for (const [n, truth] of truths.entries()) {
    for (const [k, [xmin, ymin, xmax, ymax, index]] of truth.entries()) {
      boxes.set([xmin!, ymin!, xmax!, ymax!], 4 * (n * slots + k));
      classIndices[n * slots + k] = index!;
    }
  }
  return { boxes, classIndices };
}

/** A noisy chip with three bright rectangles, or outlines without their lower right quarter; broad ones are class 0, tall ones class 1. */
export function scene(number: number, side: number, shape: "box" | "outline" = "box"): { image: Float32Array; truth: Truth } {
  const p = Array.from(pattern(`scene ${number}`, 18), (v) => (v + 1) / 2);
  const image = Float64Array.from(pattern(`noise ${number}`, side * side * 3), (v) => 0.2 * v);
  const truth = [0, 1, 2].map((i) => {
    const [a, b, c, d, e, f] = p.slice(6 * i, 6 * i + 6) as [number, number, number, number, number, number];
    const [long, short] = [12 + Math.trunc(12 * a), 7 + Math.trunc(4 * b)];
    const broad = c < 0.5;
    const [width, height] = broad ? [long, short] : [short, long];
    const [x, y] = [Math.trunc((side - width) * d), Math.trunc((side - height) * e)];
    const cut = shape === "outline" ? outline([x, y, x + width, y + height], side, side) : null;
    for (let row = y; row < y + height; row++) {
      for (let column = x; column < x + width; column++) {
        if (cut !== null && cut[row * side + column] === 0) continue;
        for (const [band, more] of [1 + f, 1, 0.5].entries()) image[(row * side + column) * 3 + band]! += more;
      }
    }
    return [x, y, x + width, y + height, broad ? 0 : 1];
  });
  return { image: Float32Array.from(image), truth };
}

/** The pixels of an object: its box without the lower right quarter. */
export function outline([xmin, ymin, xmax, ymax]: readonly number[], height: number, width: number): Uint8Array {
  const mask = new Uint8Array(height * width);
  const [left, top, right, bottom] = [Math.floor(xmin!), Math.floor(ymin!), Math.ceil(xmax!), Math.ceil(ymax!)];
  const [column, line] = [Math.floor((left + right + 1) / 2), Math.floor((top + bottom + 1) / 2)];
  for (let row = top; row < bottom; row++) {
    for (let col = left; col < right; col++) mask[row * width + col] = row >= line && col >= column ? 0 : 1;
  }
  return mask;
}

/** Outlines of the objects of a batch in slots, those without an object full. */
export function outlines(truths: readonly Truth[], slots: number, height: number, width: number): Uint8Array {
  const masks = new Uint8Array(truths.length * slots * height * width).fill(1);
  for (const [n, truth] of truths.entries()) {
    for (const [k, box] of truth.entries()) masks.set(outline(box, height, width), (n * slots + k) * height * width);
  }
  return masks;
}
