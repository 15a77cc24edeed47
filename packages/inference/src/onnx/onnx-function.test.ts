import { readFileSync } from "node:fs";

import { startEngine } from "@geolearn/engine";
import { openOnnx, type OnnxSpec } from "@geolearn/models";
import { beforeAll, describe, expect, test } from "vitest";

import type { PixelBlock } from "../inference-function.ts";
import { fromOnnx } from "./from-onnx.ts";
import { openOnnxFunction } from "./onnx-function.ts";

interface Fixture {
  readonly file: string;
  readonly images: { boxes: number[]; labels: number[]; scores: number[] }[];
  readonly scores: number[];
  readonly masks: number[][][];
}
const fixtures = JSON.parse(readFileSync(new URL("./fixtures/objects.json", import.meta.url), "utf8")) as Record<string, Fixture>;
const fileOf = (name: string): Uint8Array => new Uint8Array(Buffer.from(fixtures[name]!.file, "base64"));
const tensorflow = JSON.parse(readFileSync(new URL("./fixtures/tensorflow.json", import.meta.url), "utf8")) as {
  readonly side: number;
  readonly mean: number[];
  readonly std: number[];
  readonly classification: { name: string; file: string; scores: number[] }[];
};

beforeAll(async () => {
  await startEngine({ threads: 1 });
});

const [HEIGHT, WIDTH, IMAGES] = [24, 40, 3];
/** The images of tests/oracles/onnx_objects.py. */
const block: PixelBlock = {
  pixels: Float32Array.from({ length: IMAGES * HEIGHT * WIDTH * 3 }, (_, i) => Math.imul(i + 1, 2654435761) >>> 8),
  mask: new Uint8Array(IMAGES * HEIGHT * WIDTH).fill(1),
  size: IMAGES,
  height: HEIGHT,
  width: WIDTH,
  bands: 3,
};
const scaled: OnnxSpec = { normalization: { scale: 2 ** -24 } };
const finder: OnnxSpec = { ...scaled, task: "objectDetection", classes: ["background", "red", "green", { name: "blue", value: 30 }] };

describe("detectors of PyTorch", () => {
  test("in torchvision's layout: an image without a batch, corners in pixels, labels from 1", async () => {
    const fn = await openOnnxFunction(fileOf("torchvision"), finder);
    expect(fn.manifest).toMatchObject({ task: "objectDetection", chipWidth: WIDTH, chipHeight: HEIGHT });
    const found = await fn.detect(block);
    expect(found.length).toBe(IMAGES);
    const values = [0, 1, 2, 30];
    for (const [i, { boxes, labels, scores }] of fixtures["torchvision"]!.images.entries()) {
      expect(found[i]!.flatMap(({ box }) => box)).toEqual(boxes);
      expect(found[i]!.map(({ classIndex }) => fn.manifest.classes[classIndex]!.value)).toEqual(labels.map((label) => values[label]));
      found[i]!.forEach(({ score }, k) => expect(score).toBeCloseTo(scores[k]!, 6));
    }
    const raw = await fn.run(block);
    expect(raw.length).toBe(IMAGES);
    expect(raw[0]!["boxes"]!.shape).toEqual([3, 4]);
    expect(raw[0]!["labels"]!.dtype).toBe("int32");
    await fn.dispose();
  });

  test("in batches of a fixed number, centres and sizes in fractions", async () => {
    const spec: OnnxSpec = { ...finder, classes: ["red", "green", "blue"], boxOrder: "cxcywh", boxUnit: "fraction" };
    const fn = await openOnnxFunction(fileOf("batch"), spec);
    const found = await fn.detect(block);
    expect(found.length).toBe(IMAGES);
    for (const [i, { boxes, labels }] of fixtures["batch"]!.images.entries()) {
      expect(found[i]!.map(({ classIndex }) => fn.manifest.classes[classIndex]!.value)).toEqual(labels);
      for (let k = 0; k < 3; k++) {
        const [cx, cy, w, h] = boxes.slice(4 * k, 4 * k + 4) as [number, number, number, number];
        const expected = [(cx - w / 2) * WIDTH, (cy - h / 2) * HEIGHT, (cx + w / 2) * WIDTH, (cy + h / 2) * HEIGHT];
        found[i]![k]!.box.forEach((side, at) => expect(side).toBeCloseTo(expected[at]!, 4));
      }
    }
    await fn.dispose();
  });

  test("with masks as large as the image, sampled at the pixels of each box; as grids over the boxes, as they are", async () => {
    const spec: OnnxSpec = { ...finder, task: "instanceSegmentation" };
    const fn = await openOnnxFunction(fileOf("masks"), spec);
    const found = await fn.detect(block);
    for (const [i, masks] of fixtures["masks"]!.masks.entries()) {
      expect(found[i]!.length).toBe(3);
      for (const [k, { mask }] of found[i]!.entries()) {
        expect(mask).toMatchObject({ width: 5, height: 3 });
        masks[k]!.forEach((value, at) => expect(mask!.scores[at]).toBeCloseTo(value, 5));
      }
    }
    await fn.dispose();
    const boxesOnly = await openOnnxFunction(fileOf("masks"), finder);
    expect((await boxesOnly.detect(block))[0]![0]).not.toHaveProperty("mask");
    await boxesOnly.dispose();
    // a file without masks, and an output that holds none
    await expect(openOnnxFunction(fileOf("torchvision"), spec)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    const wrong = await openOnnxFunction(fileOf("masks"), { ...spec, masks: "boxes" });
    await expect(wrong.detect(block)).rejects.toMatchObject({ code: "ENGINE_FAILED" });
    await wrong.dispose();
  });

  test("labels nobody described are told", async () => {
    const fn = await openOnnxFunction(fileOf("torchvision"), { ...finder, classes: ["background"] });
    await expect(fn.detect(block)).rejects.toMatchObject({ code: "CLASS_UNKNOWN" });
    await fn.dispose();
  });
});

describe("classifiers of PyTorch", () => {
  test.each(["logits", "softmax", "single"])("%s", async (name) => {
    const fn = await openOnnxFunction(fileOf(name), { ...scaled, task: "objectClassification" });
    const { scores } = fixtures[name]!;
    expect(fn.manifest.classes.length).toBe(scores.length / IMAGES);
    const found = await fn.classify(block);
    expect(found.length).toBe(scores.length);
    scores.forEach((score, i) => expect(found[i]).toBeCloseTo(score, 5));
    await fn.dispose();
  });
});

describe("classes of classifiers", () => {
  const tiles: OnnxSpec = { ...scaled, task: "objectClassification" };

  test("more or fewer than channels are refused, with both counts; one is enough where an image may have none", async () => {
    const channels = fixtures["logits"]!.scores.length / IMAGES;
    const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `class ${i}`);
    for (const count of [channels - 1, channels + 1]) {
      await expect(openOnnxFunction(fileOf("logits"), { ...tiles, classes: names(count) })).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
        message: expect.stringContaining(`${count} classes are given for ${channels} channels of its output`) as string,
      });
    }
    await expect(openOnnxFunction(fileOf("single"), { ...tiles, classes: ["roof"] })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    const fn = await openOnnxFunction(fileOf("single"), { ...tiles, classes: ["roof"], multiLabel: true });
    const second = fixtures["single"]!.scores.filter((_, i) => i % 2 === 1);
    (await fn.classify(block)).forEach((score, i) => expect(score).toBeCloseTo(second[i]!, 5));
    await fn.dispose();
  });

  test("a package changed in memory is refused, not read askew", async () => {
    const pkg = await openOnnx(fileOf("logits"), tiles);
    const fn = await openOnnxFunction({ ...pkg, manifest: { ...pkg.manifest, classes: pkg.manifest.classes.slice(1) } });
    await expect(fn.classify(block)).rejects.toMatchObject({ code: "INVALID_ARGUMENT", data: { field: "classes" } });
    await fn.dispose();
  });
});

describe("classifiers of TensorFlow", () => {
  const { side, mean, std, classification } = tensorflow;

  test.each(classification)("$name", async ({ file, scores }) => {
    const spec: OnnxSpec = { task: "objectClassification", normalization: { scale: 1 / 255, mean, std } };
    const fn = await openOnnxFunction(new Uint8Array(Buffer.from(file, "base64")), spec);
    const [row, col, band] = [(i: number) => Math.floor(i / (3 * side)), (i: number) => Math.floor(i / 3) % side, (i: number) => i % 3];
    // the scene of tests/oracles/onnx_segmentation.py
    const hash = (i: number): number => Math.imul((row(i) >> 2) * 7919 + (col(i) >> 1) * 104729 + band(i) * 1299709, 2654435761) >>> 24;
    const pixels = Float32Array.from({ length: side * side * 3 }, (_, i) => hash(i));
    const found = await fn.classify({ pixels, mask: new Uint8Array(side * side).fill(1), size: 1, height: side, width: side, bands: 3 });
    expect(found.length).toBe(scores.length);
    scores.forEach((score, i) => expect(found[i]).toBeCloseTo(score, 5));
    await fn.dispose();
  });
});

describe("what does not fit", () => {
  test("another task, other blocks, other outputs, a cancelled run", async () => {
    const fn = await openOnnxFunction(fileOf("torchvision"), finder);
    await expect(fn.classify(block)).rejects.toMatchObject({ code: "TASK_MISMATCH" });
    await expect(fn.detect({ ...block, width: 32 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(fn.run(block, AbortSignal.abort())).rejects.toMatchObject({ name: "AbortError" });
    await fn.dispose();
    await expect(openOnnxFunction(fileOf("torchvision"), { ...finder, boxes: "rectangles" })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    await expect(openOnnxFunction(fileOf("torchvision"), { ...finder, boxes: "scores" })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    const classifier = await fromOnnx(fileOf("logits"), { ...scaled, task: "objectClassification" });
    await expect(classifier.configure({ bands: 3, bandNames: [], sampleType: "uint8", resolution: 1 } as never)).rejects.toMatchObject({
      code: "TASK_MISMATCH",
    });
  });
});
