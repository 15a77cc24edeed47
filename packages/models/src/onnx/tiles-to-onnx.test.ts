import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { compile, startEngine } from "@geolearn/engine";
import type * as tf from "@tensorflow/tfjs";
import { afterAll, beforeAll, expect, it } from "vitest";

import { createFeatureClassifier } from "../classifier/classifier.ts";
import type { ModelManifest } from "../manifest.ts";
import type { TileNetwork } from "../network.ts";
import { greatestDifference, pattern, unpack } from "../testing/pattern.ts";
import { pythonPresent, runOracle } from "../testing/python.ts";
import { openOnnx } from "./open-onnx.ts";
import { toOnnx } from "./to-onnx.ts";

/** Two bands as sensors give them: far from 0, and far from each other. */
const NORMALIZATION = { mean: [1000, 30], std: [400, 10] };
const BANDS = 2;

let folder: string;
beforeAll(async () => {
  await startEngine();
  folder = await mkdtemp(join(tmpdir(), "tiles-to-onnx-"));
});
afterAll(() => rm(folder, { recursive: true }));

function network(backbone: "mobilenetv3-small" | "efficientnet-b0", multiLabel: boolean): TileNetwork {
  return createFeatureClassifier({ bands: BANDS, classes: 4, backbone, multiLabel, normalization: NORMALIZATION }, { seed: 8 });
}

function manifestOf({ modelType, config }: TileNetwork): ModelManifest {
  return {
    task: "objectClassification",
    name: "Roofs",
    modelType,
    backbone: String(config["backbone"]),
    config,
    classes: ["flat", "gable", "hip", "shed"].map((name, i) => ({ value: i + 1, name, color: [10 * i, 200, 0] })),
    ...{ bandNames: ["a", "b"], bandIndices: [0, 1], sampleType: "uint16", chipWidth: 40, chipHeight: 56, resolution: 0.3 },
    statistics: NORMALIZATION.mean.map((mean, b) => ({ min: 0, max: 4000, mean, std: NORMALIZATION.std[b]!, count: 1000 })),
    ...{ metrics: {}, training: {} },
  };
}

type Size = readonly [images: number, height: number, width: number];

/** Raw pixels, `[N, H, W, C]` or `[N, C, H, W]`. */
function pixels([images, height, width]: Size, channelsFirst: boolean): Float32Array {
  const plain = Float32Array.from(
    pattern("image", images * height * width * BANDS),
    (v, i) => NORMALIZATION.mean[i % BANDS]! + NORMALIZATION.std[i % BANDS]! * v,
  );
  if (!channelsFirst) return plain;
  const cells = height * width;
  return plain.map((_, i) => plain[(Math.floor(i / (BANDS * cells)) * cells + (i % cells)) * BANDS + (Math.floor(i / cells) % BANDS)]!);
}

async function scores(net: TileNetwork, size: Size): Promise<Float32Array> {
  const run = compile(({ x }) => ({ y: net.decode(net.forward(x as tf.Tensor4D, { training: false })) }), {
    inputs: { x: { shape: [...size, BANDS], dtype: "float32" } },
  });
  const { y } = await run.run({ x: pixels(size, false) });
  await run.dispose();
  return y!.data as Float32Array;
}

interface Told {
  readonly inputs: readonly { readonly dims: readonly unknown[] }[];
  readonly outputs: readonly { readonly dims: readonly unknown[] }[];
  readonly domains: readonly string[];
  readonly runs: readonly { readonly outputs: Readonly<Record<string, { readonly shape: number[]; readonly data: string }>> }[];
}

it.runIf(pythonPresent).each([
  ["mobilenetv3-small", false],
  ["efficientnet-b0", true],
] as const)(
  "ONNX Runtime gives our scores of any number of images of any size: %s, several classes %s",
  async (backbone, multiLabel) => {
    const net = network(backbone, multiLabel);
    const { bytes, outputShape } = toOnnx(net, manifestOf(net));
    expect(outputShape).toEqual(["batch", 4]);
    const path = join(folder, `${backbone}.onnx`);
    await writeFile(path, bytes);
    // multiples of 32, the chip, odd sides
    const sizes: readonly Size[] = [
      [1, 64, 96],
      [3, 56, 40],
      [2, 65, 49],
    ];
    const runs = sizes.map((size) => ({
      inputs: { input: { shape: [size[0], BANDS, size[1], size[2]], data: Buffer.from(pixels(size, true).buffer).toString("base64") } },
    }));
    await writeFile(join(folder, "runs.json"), JSON.stringify(runs));
    const told = runOracle("run_onnx.py", path, join(folder, "runs.json")) as Told;
    expect(told.domains.filter((domain) => domain !== "")).toEqual([]);
    expect(told.inputs[0]!.dims).toEqual(["batch", BANDS, "height", "width"]);
    for (const [i, size] of sizes.entries()) {
      const { shape, data } = told.runs[i]!.outputs["output"]!;
      const ours = await scores(net, size);
      expect(shape).toEqual([size[0], 4]);
      expect(greatestDifference(unpack(data), ours)).toBeLessThan(1e-4);
      const sums = Array.from({ length: size[0] }, (_, n) => ours.slice(4 * n, 4 * n + 4).reduce((a, b) => a + b, 0));
      if (!multiLabel) for (const sum of sums) expect(sum).toBeCloseTo(1, 5);
    }
    net.dispose();
  },
  120_000,
);

it("is fixed to the chip when asked, tells STAC, and is opened again as what it is", async () => {
  const net = network("mobilenetv3-small", false);
  const exported = toOnnx(net, manifestOf(net), { size: "chip", batch: 2, output: "logits" });
  const { bytes, inputShape, outputShape } = exported;
  expect([inputShape, outputShape]).toEqual([
    [2, BANDS, 56, 40],
    [2, 4],
  ]);
  const { properties } = exported.stac("./roofs.onnx");
  expect(properties["mlm:tasks"]).toEqual(["classification"]);
  expect(properties["mlm:output"]).toMatchObject([{ name: "output", result: { shape: [2, 4], dim_order: ["batch", "class"] } }]);
  const path = join(folder, "roofs.onnx");
  await writeFile(path, bytes);
  const { manifest } = await openOnnx(path);
  expect(manifest).toMatchObject({ task: "objectClassification", name: "Roofs", graph: { output: { kind: "image", values: "logits" } } });
  net.dispose();
});
