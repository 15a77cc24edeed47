import { compile, startEngine } from "@geolearn/engine";
import type * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";

import type { ModelManifest } from "../manifest.ts";
import type { Network } from "../network.ts";
import { patternImage, sameWeights } from "../testing/pattern.ts";
import { createUNet } from "../unet/unet.ts";
import { adaptWeights, loadNetwork } from "./load.ts";
import { type ModelPackage, readModelPackage } from "./read.ts";
import { encodeModelPackage } from "./write.ts";

const config = { bands: 3, classes: 2, base: 4, depth: 2, normalization: { mean: [100, 90, 80], std: [30, 20, 10] } };
const band = { min: 0, max: 255, mean: 100, std: 30, count: 100 };

beforeAll(async () => {
  await startEngine();
});

async function packageOf(network: Network): Promise<ModelPackage> {
  const { bands, classes, backbone } = network.config as { bands: number; classes: number; backbone: string | null };
  const manifest: ModelManifest = {
    task: "pixelClassification",
    name: "test",
    modelType: network.modelType,
    backbone,
    config: network.config,
    classes: Array.from({ length: classes }, (_, value) => ({ value, name: `class ${value}`, color: [value, 0, 0] })),
    bandNames: Array.from({ length: bands }, (_, i) => `band ${i}`),
    bandIndices: Array.from({ length: bands }, (_, i) => i),
    sampleType: "uint8",
    statistics: Array.from({ length: bands }, () => band),
    chipWidth: 64,
    chipHeight: 64,
    resolution: null,
    metrics: {},
    training: {},
  };
  return readModelPackage(await encodeModelPackage({ manifest, weights: network.weights() }));
}

async function score(network: Network): Promise<Float32Array> {
  const run = compile(({ x }) => ({ y: network.forward(x as tf.Tensor4D, { training: false }) as tf.Tensor4D }), {
    inputs: { x: { shape: [1, 16, 24, 3], dtype: "float32" } },
  });
  const { y } = await run.run({ x: patternImage(16 * 24 * 3) });
  await run.dispose();
  return y!.data as Float32Array;
}

describe("loadNetwork", () => {
  it.each(["batch", "group"] as const)("scores bit for bit as the network that was saved (%s norm)", async (norm) => {
    const saved = createUNet({ ...config, norm }, { seed: 4 });
    const loaded = loadNetwork(await packageOf(saved), { task: "pixelClassification" });
    expect(await score(loaded)).toEqual(await score(saved));
    saved.dispose();
    loaded.dispose();
  });
});

describe("adaptWeights", () => {
  const begin = async (
    change: object,
    options = {},
  ): Promise<{ report: ReturnType<typeof adaptWeights>; taken: string[]; network: Network }> => {
    const saved = createUNet(config, { seed: 1 });
    const network = createUNet({ ...config, ...change }, { seed: 2 });
    const fresh = network.weights();
    const report = adaptWeights(network, await packageOf(saved), options);
    const now = network.weights();
    const old = saved.weights();
    for (const name of report.loaded) expect(now.get(name), name).toEqual(old.get(name));
    for (const name of report.reinitialized) expect(now.get(name), name).toEqual(fresh.get(name));
    saved.dispose();
    return { report, taken: [...report.loaded], network };
  };

  it("takes everything for the same classes and bands", async () => {
    const { report, taken, network } = await begin({});
    expect(report.reinitialized).toEqual([]);
    expect(taken).toEqual(network.parameters.map((p) => p.name));
    network.dispose();
  });

  it("begins the last layer anew for other classes", async () => {
    const { report, network } = await begin({ classes: 5 });
    expect(report.reinitialized).toEqual(["head.weight", "head.bias"]);
    network.dispose();
  });

  it("begins the first layer anew for other bands", async () => {
    const { report, network } = await begin({ bands: 4, normalization: null });
    expect(report.reinitialized).toEqual(["down.0.conv1.weight"]);
    network.dispose();
  });

  it("begins the last layer anew for as many classes of other names", async () => {
    const other = [
      { value: 0, name: "class 0", color: [0, 0, 0] },
      { value: 1, name: "road", color: [9, 9, 9] },
    ];
    const { report, network } = await begin({}, { classes: other });
    expect(report.reinitialized).toEqual(["head.weight", "head.bias"]);
    network.dispose();
  });

  it("refuses an encoder of the same shapes that pads otherwise", async () => {
    const mobile = { ...config, backbone: "mobilenetv2", decoderWidths: [8, 8, 8, 8, 8] } as const;
    const saved = createUNet({ ...mobile, convention: "tensorflow" }, { seed: 1 });
    const network = createUNet(mobile, { seed: 2 });
    const pkg = await packageOf(saved);
    expect(() => adaptWeights(network, pkg)).toThrow(/among them convention tensorflow/);
    const again = loadNetwork(pkg);
    expect(again.config["convention"]).toBe("tensorflow");
    for (const each of [saved, network, again]) each.dispose();
  });

  it.each<[string, object]>([
    ["another width", { base: 8 }],
    ["another depth", { depth: 3 }],
    ["other skips", { skips: "add" }],
    ["another norm", { norm: "group" }],
    ["another encoder", { backbone: "resnet18", decoderWidths: [8, 8, 8, 8, 8] }],
  ])("refuses %s and changes nothing", async (_, change) => {
    const saved = createUNet(config, { seed: 1 });
    const network = createUNet({ ...config, ...change }, { seed: 2 });
    const before = network.weights();
    const pkg = await packageOf(saved);
    expect(() => adaptWeights(network, pkg)).toThrow(expect.objectContaining({ code: "WEIGHTS_MISMATCH" }) as Error);
    expect(sameWeights(network.weights(), before)).toBe(true);
    saved.dispose();
    network.dispose();
  });
});
