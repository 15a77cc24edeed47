import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type HostTensor, compile, openOnnxSession, parseOnnxModel, readOnnxWeights, startEngine } from "@geolearn/engine";
import type * as tf from "@tensorflow/tfjs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { DeepLabConfig } from "../deeplab/config.ts";
import type { ModelManifest } from "../manifest.ts";
import type { Network } from "../network.ts";
import { greatestDifference, patternImage } from "../testing/pattern.ts";
import { pythonPresent, runOracle } from "../testing/python.ts";
import type { BandNormalization } from "../network/normalization.ts";
import { createNetwork } from "../network/registry.ts";
import type { PSPNetConfig } from "../pspnet/config.ts";
import type { UNetConfig } from "../unet/config.ts";
import { createUNet } from "../unet/unet.ts";
import { readDeepness } from "./deepness.ts";
import { readOwnMetadata } from "./own-metadata.ts";
import { toOnnx } from "./to-onnx.ts";

let folder: string;
beforeAll(async () => {
  await startEngine({ threads: 2 });
  folder = await mkdtemp(join(tmpdir(), "to-onnx-"));
});
afterAll(() => rm(folder, { recursive: true }));

const COLORS = [
  [0, 0, 0],
  [255, 0, 0],
  [0, 200, 0],
  [1, 2, 3],
] as const;

function manifestOf(network: Network, extra: Partial<ModelManifest> = {}): ModelManifest {
  const bands = network.config["bands"] as number;
  const classes = network.config["classes"] as number;
  const backbone = network.config["backbone"];
  return {
    task: "pixelClassification",
    name: "Städte 2024",
    modelType: network.modelType,
    backbone: typeof backbone === "string" ? backbone : null,
    config: network.config,
    classes: Array.from({ length: classes }, (_, i) => ({
      value: 10 * i,
      name: ["background", "Häuser", "road", "water"][i]!,
      color: COLORS[i]!,
    })),
    bandNames: Array.from({ length: bands }, (_, i) => `B0${i + 1}`),
    bandIndices: Array.from({ length: bands }, (_, i) => i),
    sampleType: "uint8",
    statistics: Array.from({ length: bands }, () => ({ min: 0, max: 255, mean: 100, std: 30, count: 1000 })),
    chipWidth: 64,
    chipHeight: 64,
    resolution: 0.3,
    metrics: {},
    training: { epochs: 2 },
    ...extra,
  };
}

/** `[N, H, W, C]` to `[N, C, H, W]`. */
function toFirst({ data, shape }: HostTensor): HostTensor {
  const [n, h, w, c] = shape as [number, number, number, number];
  const out = new Float32Array(data.length);
  for (let i = 0; i < n; i++)
    for (let p = 0; p < h * w; p++) for (let k = 0; k < c; k++) out[(i * c + k) * h * w + p] = data[(i * h * w + p) * c + k]!;
  return { data: out, shape: [n, c, h, w], dtype: "float32" };
}

/** Running statistics and shifts that are not 0 and 1, as after training. */
function trained(config: PixelConfig, seed: number, modelType: string): Network {
  const network = createNetwork(modelType, { ...config }, { seed, task: "pixelClassification" });
  const weights = new Map(network.weights());
  let next = seed;
  for (const [name, { data, shape }] of weights) {
    if (shape.length !== 1) continue;
    const values = (data as Float32Array).map((value) => value + 0.1 * Math.sin(++next));
    weights.set(name, { data: name.endsWith("running_var") ? values.map(Math.abs) : values, shape, dtype: "float32" });
  }
  network.setWeights(weights);
  return network;
}

async function logitsOf(network: Network, image: HostTensor): Promise<HostTensor> {
  const run = compile(({ x }) => ({ y: network.forward(x as tf.Tensor4D, { training: false }) as tf.Tensor4D }), {
    inputs: { x: { shape: image.shape, dtype: "float32" } },
    variables: "constant",
  });
  const { y } = await run.run({ x: image.data });
  await run.dispose();
  return y!;
}

function softmax({ data, shape }: HostTensor): HostTensor {
  const classes = shape.at(-1)!;
  const out = new Float32Array(data.length);
  for (let at = 0; at < data.length; at += classes) {
    const powers = Array.from({ length: classes }, (_, i) => Math.exp(data[at + i]! - data[at]!));
    const sum = powers.reduce((a, b) => a + b);
    powers.forEach((power, i) => (out[at + i] = power / sum));
  }
  return { data: out, shape, dtype: "float32" };
}

const normalization = (bands: number): BandNormalization => ({
  mean: Array.from({ length: bands }, (_, i) => 100 + i),
  std: Array.from({ length: bands }, (_, i) => (i === 2 ? 0 : 30 + i)),
});

type PixelConfig = UNetConfig | DeepLabConfig | PSPNetConfig;

const CONFIGS: [string, PixelConfig, modelType?: string][] = [
  ["plain", { bands: 3, classes: 2, base: 8, depth: 3, normalization: normalization(3) }],
  [
    "plain, one band, added skips, group norm and a margin",
    { bands: 1, classes: 3, base: 8, depth: 2, skips: "add", norm: "group", margin: 5 },
  ],
  ["plain, one class, widths of its own", { bands: 4, classes: 1, widths: [6, 5, 7], normalization: normalization(4) }],
  ["ResNet-18", { bands: 3, classes: 4, backbone: "resnet18", decoderWidths: [32, 16, 16, 8, 8], normalization: normalization(3) }],
  [
    "ResNet-34 with group norm and added skips",
    { bands: 2, classes: 2, backbone: "resnet34", decoderWidths: [32, 16, 16, 8, 8], norm: "group", skips: "add" },
  ],
  [
    "DeepLab on MobileNetV2 with output stride 8 and a margin",
    { bands: 5, classes: 2, backbone: "mobilenetv2", outputStride: 8, decoderWidth: 16, margin: 4 },
    "deeplab",
  ],
  [
    "PSPNet on a whole MobileNetV3 with grids of its own",
    { bands: 1, classes: 2, backbone: "mobilenetv3-small", depth: 5, pyramidSizes: [1, 4, 7], decoderWidth: 24, norm: "group" },
    "pspnet",
  ],
  ...(["resnet50", "mobilenetv2", "efficientnet-b0", "efficientnet-b1", "efficientnet-b2", "efficientnet-b3"] as const).map(
    (backbone): [string, UNetConfig] => [
      backbone,
      { bands: 3, classes: 3, backbone, decoderWidths: [24, 16, 16, 8, 8], normalization: normalization(3) },
    ],
  ),
];

describe.each(CONFIGS)("a network as ONNX: %s", (_, config, modelType = "unet") => {
  const sizes = config.backbone
    ? [
        [1, 32, 64],
        [2, 96, 32],
      ]
    : [
        [1, 32, 48],
        [3, 64, 16],
      ];
  const images = sizes.map(([n, h, w]) => {
    const shape = [n!, h!, w!, config.bands];
    return { data: patternImage(shape.reduce((a, b) => a * b)), shape, dtype: "float32" } as const; // prettier-ignore
  });
  let network: Network;
  let logits: HostTensor[];

  beforeAll(async () => {
    network = trained(config, 5, modelType);
    logits = [];
    for (const image of images) logits.push(await logitsOf(network, image));
  });
  afterAll(() => {
    network.dispose();
  });

  it("scores other sizes and batches as the network does, in Node", async () => {
    const { bytes, inputShape, outputShape } = toOnnx(network, manifestOf(network));
    expect(inputShape).toEqual(["batch", config.bands, "height", "width"]);
    expect(outputShape.slice(0, 2)).toEqual(["batch", config.classes]);
    const model = parseOnnxModel(bytes);
    expect(new Set(model.graph.nodes.map(({ domain }) => domain))).toEqual(new Set([""]));
    const session = await openOnnxSession(model);
    for (const [i, image] of images.entries()) {
      const { output } = await session.run({ input: toFirst(image) });
      const expected = toFirst(softmax(logits[i]!));
      expect(output!.shape).toEqual(expected.shape);
      expect(greatestDifference(output!.data, expected.data)).toBeLessThan(1e-5);
    }
    await session.dispose();
  });

  it.skipIf(!pythonPresent)("passes onnx.checker and gives the same logits in Python (needs the Python peers)", async () => {
    const { bytes } = toOnnx(network, manifestOf(network), { output: "logits" });
    const [path, runs] = [join(folder, "model.onnx"), join(folder, "runs.json")];
    await writeFile(path, bytes);
    const pack = ({ data, shape }: HostTensor): unknown => ({
      shape,
      data: Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64"),
    });
    await writeFile(runs, JSON.stringify(images.map((image) => ({ inputs: { input: pack(toFirst(image)) } }))));
    const python = runOracle("run_onnx.py", path, runs) as {
      domains: string[];
      inputs: unknown;
      runs: { outputs: { output: { shape: number[]; data: string } } }[];
    };
    expect(python.domains).toEqual([""]);
    expect(python.inputs).toEqual([{ name: "input", type: "FLOAT", dims: ["batch", config.bands, "height", "width"] }]);
    for (const [i, run] of python.runs.entries()) {
      const { shape, data } = run.outputs.output;
      const expected = toFirst(logits[i]!);
      expect(shape).toEqual(expected.shape);
      const found = new Float32Array(new Uint8Array(Buffer.from(data, "base64")).buffer);
      // Another version of ONNX Runtime, other threads: logits of a few units in float32.
      expect(greatestDifference(found, expected.data)).toBeLessThan(1e-4);
    }
  });

  it("gives its weights back", async () => {
    const { tensors } = await readOnnxWeights(toOnnx(network, manifestOf(network)).bytes);
    for (const [name, { data, shape }] of network.weights()) {
      expect(tensors.get(name)?.shape, name).toEqual(shape);
      expect(Buffer.from(new Uint8Array(tensors.get(name)!.data.buffer)).equals(new Uint8Array(data.buffer)), name).toBe(true);
    }
  });
});

describe("the file", () => {
  it("has fixed sides on request, and refuses chips the network cannot take", () => {
    const network = createUNet({ bands: 3, classes: 2, base: 4, depth: 2, margin: 4 });
    const fixed = toOnnx(network, manifestOf(network), { size: "chip", batch: 1 });
    expect([fixed.inputShape, fixed.outputShape]).toEqual([
      [1, 3, 64, 64],
      [1, 2, 56, 56],
    ]);
    expect(() => toOnnx(network, manifestOf(network, { chipWidth: 62 }), { size: "chip" })).toThrow(
      expect.objectContaining({ code: "CHIP_SIZE_NOT_DIVISIBLE" }) as Error,
    );
    expect(() => toOnnx(network, manifestOf(network), { batch: 0 })).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }) as Error,
    );
    network.dispose();
  });

  it.each<[object, string, string]>([
    [{ sise: "chip" }, "sise", "toOnnx() has no option `sise`."],
    [{ size: 64 }, "size", 'toOnnx(): `size` is 64; expected "free" or "chip".'],
    [{ batch: "1" }, "batch", 'toOnnx(): `batch` is "1"; expected "free", or a whole number from 1 to 65536.'],
    [{ output: "softmax" }, "output", 'toOnnx(): `output` is "softmax"; expected "scores" or "logits".'],
    [{ minScore: 0.5 }, "minScore", "`minScore` is a setting of networks that find objects."],
  ])("refuses %j", (options, field, message) => {
    const network = createUNet({ bands: 3, classes: 2, base: 4, depth: 2 });
    expect(() => toOnnx(network, manifestOf(network), options)).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT", message, data: expect.objectContaining({ field }) as object }) as Error,
    );
    network.dispose();
  });

  it.each([
    [100, 32, 0, "multiples of 32, such as 96 or 128;"],
    [128, 32, 0, "multiples of 32, such as 128 or 160;"],
    [5, 32, 20, "multiples of 32, such as 64;"],
    ["large", 32, 0, "multiples of 32;"],
    [100, 1, 0, "sides of any length;"],
  ])("tells the sizes there are instead of %j: stride %d, margin %d", (size, stride, margin, sides) => {
    const network = createUNet({ bands: 3, classes: 2, base: 4, depth: 2 });
    const told = { ...network, stride, margin };
    const hint = expect.stringContaining(`the file takes images of ${stride === 1 ? "" : "sides that are "}${sides}`) as string;
    expect(() => toOnnx(told, manifestOf(network), { size: size as "chip" })).toThrow(expect.objectContaining({ hint }) as Error);
    expect(() => toOnnx(told, manifestOf(network), { size: size as "chip" })).toThrow(
      expect.objectContaining({ hint: expect.stringContaining("fixes it to 64 x 64 pixels") as string }) as Error,
    );
    network.dispose();
  });

  it("is the same bytes each time", () => {
    const network = createUNet({ bands: 3, classes: 2, base: 4, depth: 2 });
    const [a, b] = [toOnnx(network, manifestOf(network)).bytes, toOnnx(network, manifestOf(network)).bytes];
    expect(Buffer.from(a).equals(b)).toBe(true);
    network.dispose();
  });

  it("describes itself to geolearn and to Deepness", () => {
    const network = createUNet({ bands: 3, classes: 3, base: 4, depth: 2, margin: 4 });
    const manifest = manifestOf(network);
    const { metadata } = parseOnnxModel(toOnnx(network, manifest).bytes);
    expect(readOwnMetadata(metadata, "it")).toEqual({ manifest, graph: { values: "scores", margin: 4, stride: 4 } });
    expect(JSON.parse(metadata.get("model_type")!)).toBe("Segmentor");
    expect(JSON.parse(metadata.get("class_names")!)).toEqual({ 0: "background", 1: "Häuser", 2: "road" });
    expect(["resolution", "tile_size", "tiles_overlap"].map((key) => JSON.parse(metadata.get(key)!) as unknown)).toEqual([30, 64, 50]);
    // Deepness computes (pixel / 255 - mean) / std: that must be the pixel.
    const [mean, std] = ["mean", "std"].map((part) => JSON.parse(metadata.get(`standardization_${part}`)!) as number[]);
    for (const pixel of [0, 1, 127, 255]) expect((pixel / 255 - mean![1]!) / std![1]!).toBeCloseTo(pixel, 9);
    expect(readDeepness(metadata, 3)).toEqual({
      task: "pixelClassification",
      classNames: ["background", "Häuser", "road"],
      resolution: 0.3,
      tileSize: 64,
      normalization: { offset: [0, 0, 0], divisor: [1, 1, 1] },
    });
    network.dispose();
  });

  it.skipIf(!pythonPresent)("has a STAC item that pystac and stac-model read (needs the Python peers)", async () => {
    const network = createUNet({ bands: 3, classes: 3, base: 4, depth: 2 });
    const item = toOnnx(network, manifestOf(network)).stac("./model.onnx");
    const path = join(folder, "item.json");
    await writeFile(path, JSON.stringify(item));
    const found = runOracle("check_stac.py", path) as { id: string; properties: Record<string, unknown>; assets: unknown };
    expect(found.id).toBe("Sta_dte-2024");
    expect(found.assets).toEqual({ model: ["mlm:model", "mlm:weights"] });
    const count = [...network.weights().values()].reduce((sum, { data }) => sum + data.length, 0);
    expect(found.properties).toMatchObject({
      "mlm:architecture": "U-Net",
      "mlm:tasks": ["semantic-segmentation"],
      "mlm:total_parameters": count,
      "mlm:input": [{ bands: ["B01", "B02", "B03"], input: { shape: [-1, 3, -1, -1] } }],
      "mlm:output": [{ result: { shape: [-1, 3, -1, -1] } }],
    });
    network.dispose();
  });
});

describe("Deepness's keys in files of others", () => {
  const read = (entries: Record<string, string>, bands: number | null = 3): unknown =>
    readDeepness(new Map(Object.entries(entries)), bands);

  it("as its documentation writes them, as Ultralytics prints them, and broken", () => {
    expect(
      read({ model_type: '"Segmentor"', class_names: '{"0": "_background", "1": "field"}', resolution: "100", tiles_size: "512" }),
    ).toEqual({
      task: "pixelClassification",
      classNames: ["_background", "field"],
      resolution: 1,
      tileSize: 512,
      normalization: { offset: [0, 0, 0], divisor: [255, 255, 255] },
    });
    expect(read({ names: "{0: 'person', 1: 'car'}" })).toMatchObject({ task: null, classNames: ["person", "car"], normalization: null });
    expect(read({ model_type: '"Detector"', standardization_mean: "[0.5]", standardization_std: "[0.25]" }, 1)).toMatchObject({
      task: "objectDetection",
      normalization: { offset: [127.5], divisor: [63.75] },
    });
    expect(read({ model_type: "{", class_names: '{"0": "a", "7": "b"}', resolution: '"wide"' })).toMatchObject({
      task: null,
      classNames: null,
      resolution: null,
    });
    expect(read({ note: "x" })).toBeNull();
  });
});
