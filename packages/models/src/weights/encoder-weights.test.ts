import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { compile, type HostTensor, startEngine } from "@geolearn/engine";
import type * as tf from "@tensorflow/tfjs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { backboneNames } from "../backbones/backbone.ts";
import type { Network } from "../network.ts";
import { hwioShape, oihwToHwio } from "../network/layout.ts";
import { createNetwork } from "../network/registry.ts";
import { greatestDifference, pattern, patternWeights, sameWeights } from "../testing/pattern.ts";
import { createUNet, unetBlueprint } from "../unet/unet.ts";
import { adaptBands } from "./adapt-bands.ts";
import { encoderNames } from "./encoder-names.ts";
import { encoderConvention, loadEncoderWeights } from "./encoder-weights.ts";
import { writeSafetensors } from "./safetensors-file.ts";

let folder: string;

beforeAll(async () => {
  await startEngine();
  folder = await mkdtemp(join(tmpdir(), "encoder-"));
  network = createUNet(resnet, { seed: 1 });
});

afterAll(async () => {
  network.dispose();
  await rm(folder, { recursive: true });
});

/** Networks of this size take a while to fill: one serves every test that does not need another. */
let network: Network;

const resnet = { bands: 3, classes: 2, backbone: "resnet18", decoderWidths: [8, 8, 8, 8, 8] } as const;

const encoderWeights = patternWeights(unetBlueprint(resnet).parameters.filter((p) => p.backbone));

/** A file as torchvision's ResNet-18 saves it, with its classifier and step counters. */
function torchvision(prefix: string): Map<string, HostTensor> {
  const file = new Map<string, HostTensor>();
  for (const [name, tensor] of encoderWeights) file.set(prefix + name.replace("encoder.", ""), tensor);
  file.set(`${prefix}fc.weight`, { data: new Float32Array(512 * 4), shape: [4, 512], dtype: "float32" });
  file.set(`${prefix}bn1.num_batches_tracked`, { data: Float32Array.of(3), shape: [], dtype: "float32" });
  return file;
}

describe("loadEncoderWeights", () => {
  it.each(["deeplab", "pspnet"])("fills the encoder of a %s from the same file, as far as it goes", async (modelType) => {
    const config = { bands: 12, classes: 2, backbone: "resnet18", decoderWidth: 8 };
    const other = createNetwork(modelType, config, { seed: 1 });
    const report = await loadEncoderWeights(other, torchvision("encoder."));
    const encoder = other.parameters.filter((p) => p.backbone).map((p) => p.name);
    expect(report.loaded).toEqual(encoder);
    expect(report.adapted).toEqual(["encoder.conv1.weight"]);
    expect(report.unused.some((name) => name.startsWith("encoder.layer4"))).toBe(modelType === "pspnet");
    const after = other.weights();
    for (const name of encoder.filter((each) => each !== "encoder.conv1.weight"))
      expect(after.get(name)!.data, name).toEqual(encoderWeights.get(name)!.data);
    other.dispose();
  });

  it.each(["", "backbone.", "module.encoder.", "encoder."])("takes torchvision's names with prefix %j", async (prefix) => {
    const path = join(folder, "resnet18.safetensors");
    await writeSafetensors(path, torchvision(prefix));
    const before = network.weights();
    const report = await loadEncoderWeights(network, path);
    const encoder = network.parameters.filter((p) => p.backbone).map((p) => p.name);
    expect(report.loaded).toEqual(encoder);
    expect(report.adapted).toEqual([]);
    expect(report.kept).toEqual(network.parameters.filter((p) => !p.backbone).map((p) => p.name));
    expect([...report.unused].sort()).toEqual([`${prefix}bn1.num_batches_tracked`, `${prefix}fc.weight`]);
    const after = network.weights();
    for (const [name, { data }] of after) {
      const expected = encoder.includes(name) ? encoderWeights.get(name)!.data : before.get(name)!.data;
      expect(greatestDifference(data, expected), name).toBe(0);
    }
  });

  it("takes its own names, also of a plain encoder", async () => {
    const config = { bands: 3, classes: 2, base: 4, depth: 2 };
    const [from, to] = [createUNet(config, { seed: 1 }), createUNet({ ...config, classes: 5 }, { seed: 2 })];
    const { loaded, unused } = await loadEncoderWeights(to, from.weights());
    expect(loaded).toEqual(to.parameters.filter((p) => p.backbone).map((p) => p.name));
    expect(unused).toContain("head.weight");
    expect(to.weights().get("middle.conv2.weight")).toEqual(from.weights().get("middle.conv2.weight"));
    from.dispose();
    to.dispose();
  });

  it("leaves group norms as they began", async () => {
    const grouped = createUNet({ ...resnet, norm: "group" });
    const report = await loadEncoderWeights(grouped, torchvision(""));
    expect(report.loaded.every((name) => /conv|downsample\.0/.test(name))).toBe(true);
    expect(report.kept).toContain("encoder.bn1.weight");
    grouped.dispose();
  });

  it("gives a grey image the same activations with any number of bands", async () => {
    const grey = Float32Array.from(pattern("grey", 32 * 32));
    const encoded = async (bands: number): Promise<Float32Array> => {
      const other = createUNet({ ...resnet, bands }, { seed: 5 });
      const { adapted } = await loadEncoderWeights(other, torchvision(""));
      expect(adapted).toEqual(bands === 3 ? [] : ["encoder.conv1.weight"]);
      const logits = await score(
        other,
        Float32Array.from({ length: 32 * 32 * bands }, (_, i) => grey[Math.floor(i / bands)]!),
      );
      other.dispose();
      return logits;
    };
    const three = await encoded(3);
    for (const bands of [1, 2, 12]) expect(greatestDifference(await encoded(bands), three), `${bands} bands`).toBeLessThan(1e-4);
  });

  it.each<[string, () => Map<string, HostTensor>, RegExp]>([
    [
      "a file without an encoder",
      () => new Map([["fc.weight", { data: new Float32Array(4), shape: [2, 2], dtype: "float32" as const }]]),
      /holds no encoder of resnet18, such as "layer1.0.conv1.weight"; it begins with fc.weight/,
    ],
    [
      "a ResNet-50",
      () => {
        const file = torchvision("");
        file.set("layer1.0.conv1.weight", { data: new Float32Array(64 * 64), shape: [64, 64, 1, 1], dtype: "float32" });
        return file;
      },
      /layer1.0.conv1.weight is \[64, 64, 1, 1\] instead of \[64, 64, 3, 3\]/,
    ],
    ["half a file", () => new Map([...torchvision("")].filter(([name]) => !name.startsWith("layer4"))), /layer4.0.conv1.weight is missing/],
  ])("refuses %s and changes nothing", async (_, file, message) => {
    const before = network.weights();
    await expect(loadEncoderWeights(network, file())).rejects.toThrow(message);
    expect(sameWeights(network.weights(), before)).toBe(true);
  });
});

describe("which encoder of a file is meant", () => {
  it("is the most complete one, then the one with the shorter name", async () => {
    const file = torchvision("model.backbone.");
    for (const [name, tensor] of torchvision("ema.")) file.set(name, { ...tensor, data: tensor.data.map((v) => v / 2) });
    file.delete("ema.layer1.0.conv1.weight");
    const { unused } = await loadEncoderWeights(network, file);
    expect(unused.filter((name) => name.startsWith("model."))).toEqual([
      "model.backbone.fc.weight",
      "model.backbone.bn1.num_batches_tracked",
    ]);
    file.set("ema.layer1.0.conv1.weight", file.get("model.backbone.layer1.0.conv1.weight")!);
    await loadEncoderWeights(network, file);
    expect(network.weights().get("encoder.bn1.weight")!.data[0]).toBe(encoderWeights.get("encoder.bn1.weight")!.data[0]! / 2);
  });

  it("weights that are not finite are refused", async () => {
    const file = torchvision("");
    file.set("bn1.bias", { data: new Float32Array(64).fill(NaN), shape: [64], dtype: "float32" });
    await expect(loadEncoderWeights(network, file)).rejects.toMatchObject({ code: "MODEL_CORRUPT" });
  });
});

describe("other names", () => {
  const config = { bands: 3, classes: 2, backbone: "mobilenetv2", decoderWidths: [8, 8, 8, 8, 8] } as const;

  /** The encoder under the names of Keras, its kernels turned as Keras has them. */
  function keras(bands: number): Map<string, HostTensor> {
    const { rename } = encoderNames("mobilenetv2").find(({ scheme }) => scheme === "keras")!;
    const file = new Map<string, HostTensor>();
    for (const [name, { data, shape }] of patternWeights(unetBlueprint({ ...config, bands }).parameters.filter((p) => p.backbone))) {
      const theirs = rename(name.replace("encoder.", ""));
      const depthwise = theirs.endsWith("depthwise_kernel");
      const [h, w, i, o] = shape.length === 4 ? hwioShape(shape) : [];
      const turned = depthwise ? [h!, w!, o!, 1] : [h!, w!, i!, o!];
      const tensor = shape.length === 4 ? { data: oihwToHwio(data as Float32Array, shape), shape: turned } : { data, shape };
      file.set(theirs, { ...tensor, dtype: "float32" });
    }
    return file;
  }

  it("of Keras are understood, its layouts turned and its first layer adapted to the bands", async () => {
    for (const bands of [3, 4]) {
      const mobile = createUNet({ ...config, bands, convention: "tensorflow" }, { seed: 1 });
      const { scheme, loaded, adapted, unused } = await loadEncoderWeights(mobile, keras(3));
      expect({ scheme, unused }).toEqual({ scheme: "keras", unused: [] });
      expect(adapted).toEqual(bands === 3 ? [] : ["encoder.features.0.0.weight"]);
      const own = patternWeights(unetBlueprint(config).parameters.filter((p) => p.backbone));
      const held = mobile.weights();
      for (const name of loaded) {
        const { data, shape } = own.get(name)!;
        const expected = adapted.includes(name) ? adaptBands(data as Float32Array, shape, bands) : data;
        expect(greatestDifference(held.get(name)!.data, expected), name).toBe(0);
      }
      mobile.dispose();
    }
  });

  it("of TensorFlow's networks are refused for a network that pads as PyTorch's", async () => {
    const mobile = createUNet(config, { seed: 1 });
    await expect(loadEncoderWeights(mobile, keras(3))).rejects.toMatchObject({
      code: "WEIGHTS_MISMATCH",
      hint: 'Make the network with `convention: "tensorflow"`.',
    });
    const file = { source: "keras/model.json", format: "tfjs", path: [], tensors: keras(3) } as const;
    expect(encoderConvention("unet", config, file)).toBe("tensorflow");
    const own = new Map([...mobile.weights()].filter(([name]) => name.startsWith("encoder.")));
    expect(encoderConvention("unet", config, { ...file, tensors: own })).toBeNull();
    expect(encoderConvention("unet", resnet, { ...file, tensors: torchvision("") })).toBe("torch");
    mobile.dispose();
  });

  it.each(backboneNames().flatMap((name) => encoderNames(name).map((names) => [name, names.scheme, names] as const)))(
    "of every parameter of %s are different ones in %s",
    (backbone, scheme, { rename }) => {
      const ours = unetBlueprint({ bands: 3, classes: 2, backbone })
        .parameters.filter((p) => p.backbone)
        .map((p) => p.name.replace("encoder.", ""));
      const theirs = ours.map(rename);
      expect(new Set(theirs).size).toBe(ours.length);
      if (scheme !== "torchvision") expect(theirs.filter((name) => name.includes("features."))).toEqual([]);
    },
  );
});

async function score(network: Network, images: Float32Array): Promise<Float32Array> {
  const shape = [1, 32, 32, network.config["bands"] as number];
  const run = compile(({ x }) => ({ y: network.forward(x as tf.Tensor4D, { training: false }) as tf.Tensor4D }), {
    inputs: { x: { shape, dtype: "float32" } },
  });
  const { y } = await run.run({ x: images });
  await run.dispose();
  return y!.data as Float32Array;
}

describe("adaptBands", () => {
  it("keeps the first bands' kernels and gives further ones the mean, scaled by the ratio of bands", () => {
    const adapted = adaptBands(Float32Array.of(1, 2, 3, 10, 20, 30), [2, 3, 1, 1], 4);
    expect([...adapted]).toEqual([0.75, 1.5, 2.25, 1.5, 7.5, 15, 22.5, 15]);
  });

  it("sums the bands for a single one", () => {
    expect([...adaptBands(Float32Array.of(1, 2, 3), [1, 3, 1, 1], 1)]).toEqual([6]);
  });
});
