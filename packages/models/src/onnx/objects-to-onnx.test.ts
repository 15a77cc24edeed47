import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { compile, type HostTensor, openOnnxSession, parseOnnxModel, startEngine } from "@geolearn/engine";
import type * as tf from "@tensorflow/tfjs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { ModelManifest } from "../manifest.ts";
import type { DecodeOptions, ObjectNetwork } from "../network.ts";
import { createRetinaNet } from "../retinanet/retinanet.ts";
import { filled, shapesOf } from "../testing/detection.ts";
import { greatestDifference, pattern } from "../testing/pattern.ts";
import { pythonPresent, runOracle } from "../testing/python.ts";
import { loadDetectorWeights } from "../weights/detector-weights.ts";
import { openOnnx } from "./open-onnx.ts";
import { toOnnx } from "./to-onnx.ts";

const SIZE = [64, 96] as const;
const fixture = JSON.parse(readFileSync(new URL("../retinanet/fixtures/retinanet.json", import.meta.url), "utf8")) as {
  readonly narrow: { readonly width: number; readonly classes: number; readonly sizes: number[]; readonly keys: string };
};

let folder: string;
let network: ObjectNetwork;
beforeAll(async () => {
  await startEngine();
  folder = await mkdtemp(join(tmpdir(), "objects-to-onnx-"));
  const { width: fpnWidth, classes, sizes, keys } = fixture.narrow;
  // Raw pixels of 0 to 255; the weights were made for -1 to 1.
  const normalization = { mean: [127.5, 127.5, 127.5], std: [127.5, 127.5, 127.5] };
  network = createRetinaNet({ bands: 3, classes, backbone: "resnet18", fpnWidth, anchors: { sizes }, normalization });
  const state = filled(shapesOf(keys), null);
  // Boxes near their anchors, and classes rarely sure.
  const weakened = { "head.regression_head.bbox_reg.weight": 0.05, "head.classification_head.cls_logits.weight": 0.3 };
  for (const [name, factor] of Object.entries(weakened)) {
    const { data, shape } = state.get(name)!;
    state.set(name, { data: Float32Array.from(data, (v) => factor * v), shape, dtype: "float32" });
  }
  await loadDetectorWeights(network, state);
});
afterAll(async () => {
  network.dispose();
  await rm(folder, { recursive: true });
});

function manifestOf(extra: Partial<ModelManifest> = {}): ModelManifest {
  return {
    task: "objectDetection",
    name: "Trees",
    modelType: "retinanet",
    backbone: "resnet18",
    config: network.config,
    classes: ["oak", "beech", "pine"].map((name, i) => ({ value: i + 1, name, color: [10 * i, 200, 0] })),
    ...{
      bandNames: ["r", "g", "b"],
      bandIndices: [0, 1, 2],
      sampleType: "uint8",
      chipWidth: SIZE[1],
      chipHeight: SIZE[0],
      resolution: 0.3,
    },
    statistics: Array.from({ length: 3 }, () => ({ min: 0, max: 255, mean: 127.5, std: 127.5, count: 1000 })),
    ...{ metrics: {}, training: {} },
    ...extra,
  };
}

/** Pixels of 0 to 255, `[images, 64, 96, 3]`. */
function pixels(images: number): Float32Array {
  return Float32Array.from(pattern("image", images * SIZE[0] * SIZE[1] * 3), (v) => Math.round(127.5 + 127.4 * v));
}

/** `[N, H, W, C]` as `[N, C, H, W]`. */
function channelsFirst(values: Float32Array, images: number): Float32Array {
  const cells = SIZE[0] * SIZE[1];
  return values.map((_, i) => {
    const [n, c, cell] = [Math.floor(i / (3 * cells)), Math.floor(i / cells) % 3, i % cells];
    return values[(n * cells + cell) * 3 + c]!;
  }).subarray(0, images * cells * 3); // prettier-ignore
}

/** What the engine finds. */
async function found(images: number, options: DecodeOptions): Promise<Readonly<Record<string, HostTensor>>> {
  const run = compile(
    ({ x }) => ({ ...network.decode(network.forward(x as tf.Tensor4D, { training: false }), options) }),
    { inputs: { x: { shape: [images, ...SIZE, 3], dtype: "float32" } } }, // prettier-ignore
  );
  const result = await run.run({ x: pixels(images) });
  await run.dispose();
  return result;
}

describe("a RetinaNet as an ONNX file", () => {
  it.each([
    [1, {}, [100]],
    [2, { minScore: 0.2, nmsOverlap: 0.3, maxDetections: 20 }, [2, 20]],
  ] as const)("finds what the network finds, %i images at a time", async (images, options, shape) => {
    const { bytes, opset, inputShape, outputShape } = toOnnx(network, manifestOf(), { batch: images, ...options });
    expect({ opset, inputShape, outputShape }).toEqual({ opset: 18, inputShape: [images, 3, ...SIZE], outputShape: [...shape, 4] });
    const session = await openOnnxSession(parseOnnxModel(bytes));
    const given = { data: channelsFirst(pixels(images), images), shape: [images, 3, ...SIZE], dtype: "float32" } as const;
    const results = await session.run({ input: given });
    const theirs = await found(images, options);
    expect(Math.min(...theirs["scores"]!.data.subarray(0, 5))).toBeGreaterThan(0.05);
    expect(results["scores"]!.shape).toEqual(shape);
    expect([...results["labels"]!.data]).toEqual([...theirs["classIndices"]!.data]);
    expect(greatestDifference(results["boxes"]!.data, theirs["boxes"]!.data)).toBeLessThan(1e-3);
    expect(greatestDifference(results["scores"]!.data, theirs["scores"]!.data)).toBeLessThan(1e-4);
    await session.dispose();
  });

  it.skipIf(!pythonPresent)("passes onnx.checker and gives the same in Python (needs the Python peers)", async () => {
    const path = join(folder, "trees.onnx");
    await writeFile(path, toOnnx(network, manifestOf()).bytes);
    const list = join(folder, "runs.json");
    const data = Buffer.from(channelsFirst(pixels(1), 1).buffer).toString("base64");
    await writeFile(list, JSON.stringify([{ inputs: { input: { shape: [1, 3, ...SIZE], data } } }]));
    const told = runOracle("run_onnx.py", path, list) as {
      domains: string[];
      outputs: { name: string; type: string; dims: number[] }[];
      initializers: Record<string, number[]>;
      runs: { outputs: Record<string, { shape: number[]; data: string }> }[];
    };
    expect(told.domains).toEqual([""]);
    expect(told.outputs).toEqual([
      { name: "boxes", type: "FLOAT", dims: [100, 4] },
      { name: "labels", type: "INT32", dims: [100] },
      { name: "scores", type: "FLOAT", dims: [100] },
    ]);
    expect(told.initializers["fpn.inner_blocks.0.0.weight"]).toEqual([fixture.narrow.width, 128, 1, 1]);
    const numbers = (name: string): Float32Array =>
      new Float32Array(new Uint8Array(Buffer.from(told.runs[0]!.outputs[name]!.data, "base64")).buffer);
    const theirs = await found(1, {});
    expect([...numbers("labels")]).toEqual([...theirs["classIndices"]!.data]);
    // Coordinates of up to 96, scores of up to 1.
    expect(greatestDifference(numbers("boxes"), theirs["boxes"]!.data) / 96).toBeLessThan(1e-4);
    expect(greatestDifference(numbers("scores"), theirs["scores"]!.data)).toBeLessThan(1e-4);
  });

  it("is opened again as a package that says how to run it", async () => {
    const pkg = await openOnnx(toOnnx(network, manifestOf(), { batch: 2 }).bytes);
    const { graph, task, classes, chipWidth, chipHeight } = pkg.manifest;
    expect({ task, chipWidth, chipHeight }).toEqual({ task: "objectDetection", chipWidth: 96, chipHeight: 64 });
    expect(classes.map(({ name }) => name)).toEqual(["oak", "beech", "pine"]);
    expect(graph).toMatchObject({
      batch: 2,
      layout: "NCHW",
      output: { kind: "objects", boxes: "boxes", scores: "scores", labels: "labels", order: "xyxy", unit: "pixels" },
    });
  });

  it.skipIf(!pythonPresent)("has a STAC item that pystac and stac-model read (needs the Python peers)", async () => {
    const path = join(folder, "item.json");
    await writeFile(path, JSON.stringify(toOnnx(network, manifestOf()).stac("./trees.onnx")));
    const { properties } = runOracle("check_stac.py", path) as { properties: Record<string, unknown> };
    expect(properties).toMatchObject({
      "mlm:architecture": "RetinaNet",
      "mlm:tasks": ["object-detection"],
      "mlm:output": [
        { name: "boxes", result: { shape: [100, 4] } },
        { name: "labels", result: { shape: [100] } },
        { name: "scores", result: { shape: [100] } },
      ],
    });
  });

  it.each([
    [{ size: "free" }, "size"],
    [{ batch: "free" }, "batch"],
    [{ output: "logits" }, "output"],
    [{ minScore: 2 }, "minScore"],
    [{ maxDetections: 0.5 }, "maxDetections"],
  ] as const)("cannot have %j", (options, field) => {
    expect(() => toOnnx(network, manifestOf(), options)).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT", data: expect.objectContaining({ field }) as object }),
    );
  });

  it("tells the one size there is", () => {
    expect(() => toOnnx(network, manifestOf(), { size: 100 as never })).toThrow(
      expect.objectContaining({ hint: expect.stringContaining("a network that finds objects is written for no other.") as string }),
    );
  });

  it("is refused for chips it cannot take and for no images", () => {
    expect(() => toOnnx(network, manifestOf({ chipWidth: 90 }))).toThrow(expect.objectContaining({ code: "CHIP_SIZE_NOT_DIVISIBLE" }));
    expect(() => toOnnx(network, manifestOf(), { batch: 0 })).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });
});
