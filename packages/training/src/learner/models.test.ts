/** Models: saved, loaded, gone on from, and the weights they start with. */

import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

import { type HostTensor, readOnnxWeights, startEngine } from "@geolearn/engine";
import { createNetwork, encodeSafetensors, readModelPackage } from "@geolearn/models";
import { describe, expect, test } from "vitest";

import { hashWeights } from "../testing/hash-weights.ts";
import { DISC_CLASSES, discChips, discData, memoryData } from "../testing/memory-data.ts";
import { SMALL, temporaryFolder } from "../testing/small-learner.ts";
import { createLearner } from "./create-learner.ts";
import type { LearnerOptions } from "./options.ts";

const folder = temporaryFolder();

describe("models", () => {
  test("saved and loaded it does the same; the package tells what it was", async () => {
    const learner = await createLearner(discData(), { ...SMALL, name: "discs" });
    await learner.fit({ epochs: 3, lr: 1e-2 });
    const path = join(folder, "discs.dlpk");
    await learner.save(path);
    const { manifest, preview } = await readModelPackage(path);
    const evaluation = await learner.evaluate();
    expect(manifest).toMatchObject({
      task: "pixelClassification",
      name: "discs",
      modelType: "unet",
      classes: DISC_CLASSES,
      resolution: 0.5,
    });
    expect(manifest.metrics).toMatchObject({ meanIou: evaluation.meanIou, pixelAccuracy: evaluation.pixelAccuracy });
    expect(Buffer.from(preview!.subarray(1, 4)).toString()).toBe("PNG");
    const again = await createLearner(discData(), { pretrained: path, threads: 1 });
    expect(hashWeights(again.network)).toBe(hashWeights(learner.network));
    expect((await again.evaluate()).confusion).toEqual(evaluation.confusion);
    const blank = await createLearner(discData({ seed: 4 }), SMALL);
    await blank.load(path);
    expect(hashWeights(blank.network)).toBe(hashWeights(learner.network));
    await expect(learner.save(join(folder, "discs.zip"))).rejects.toMatchObject({ code: "UNSUPPORTED_FORMAT" });
    await Promise.all([learner.dispose(), again.dispose(), blank.dispose()]);
  });

  test("as an ONNX file it has its weights and what the package tells", async () => {
    const learner = await createLearner(discData(), SMALL);
    const path = join(folder, "discs.onnx");
    const saved = await learner.toOnnx(path);
    expect(saved).toMatchObject({ out: path, stac: null, opset: 18 });
    const { tensors, metadata } = await readOnnxWeights(path);
    for (const [name, { data }] of learner.network.weights()) expect([...tensors.get(name)!.data], name).toEqual([...data]);
    const { manifest } = JSON.parse(metadata.get("geolearn")!) as { manifest: unknown };
    expect(manifest).toEqual(JSON.parse(JSON.stringify((await learner.toPackage()).manifest)));
    await learner.dispose();
  });

  test("fine-tuning for other classes keeps all but the last layer, and says so", async () => {
    const learner = await createLearner(discData(), SMALL);
    const path = join(folder, "start.dlpk");
    await learner.save(path);
    const log: string[] = [];
    const classes = [...DISC_CLASSES, { value: 9, name: "ring", color: [0, 0, 255] as const }];
    const tuned = await createLearner(discData({ classes }), { pretrained: path, threads: 1, log: (line) => log.push(line) });
    expect(log.join()).toContain("head.weight");
    expect([...tuned.network.weights().get("down.0.conv1.weight")!.data]).toEqual([
      ...learner.network.weights().get("down.0.conv1.weight")!.data,
    ]);
    await tuned.fit({ epochs: 1, lr: 1e-3 });
    await Promise.all([learner.dispose(), tuned.dispose()]);
  });

  test("a U-Net goes on from a change detector and the other way, but no other network does", async () => {
    const learner = await createLearner(discData(), { ...SMALL, modelType: "unet" });
    const path = join(folder, "unet.dlpk");
    await learner.save(path);
    const pairs = memoryData({
      train: discChips(4).map((chip) => ({ ...chip, image: Float32Array.from({ length: 16 * 16 * 6 }, (_, i) => i % 50) })),
      valid: [],
      side: 16,
      bands: 6,
      classes: DISC_CLASSES,
    });
    const detector = await createLearner(pairs, { threads: 1, modelType: "change-detector", pretrained: path });
    const name = "down.1.conv1.weight";
    expect(detector.network.weights().get(name)).toEqual(learner.network.weights().get(name));
    const again = join(folder, "change.dlpk");
    await detector.save(again);
    const unet = await createLearner(discData(), { threads: 1, modelType: "unet", pretrained: again });
    expect(unet.network.weights().get(name)).toEqual(learner.network.weights().get(name));
    await expect(createLearner(discData(), { threads: 1, modelType: "deeplab", pretrained: path })).rejects.toMatchObject({
      code: "WEIGHTS_MISMATCH",
      message: expect.stringContaining("holds a network of type unet; deeplab was asked for.") as string,
      data: { modelType: "unet", asked: "deeplab" },
    });
    for (const one of [learner, detector, unet]) await one.dispose();
  });

  test("a package is measured on other data with the constants it was trained with", async () => {
    const learner = await createLearner(discData(), SMALL);
    await learner.fit({ epochs: 2, lr: 1e-2 });
    const path = join(folder, "constants.dlpk");
    await learner.save(path);
    const bright = discData({ train: discChips(4).map((chip) => ({ ...chip, image: chip.image.map((value) => value + 40) })) });
    const again = await createLearner(bright, { pretrained: path, threads: 1 });
    expect(bright.statistics[0]!.mean).not.toBe(learner.data.statistics[0]!.mean);
    expect((await again.evaluate()).confusion).toEqual((await learner.evaluate()).confusion);
    await Promise.all([learner.dispose(), again.dispose()]);
  });

  test("a held backbone keeps its weights, a released one learns", async () => {
    const learner = await createLearner(discData({ side: 32 }), {
      backbone: "resnet18",
      decoderWidths: [16, 8, 8, 8, 4],
      threads: 1,
      freeze: true,
    });
    const held = learner.network.parameters.filter(({ backbone, trainable }) => backbone && trainable).map(({ name }) => name);
    const encoder = (): string => {
      const weights = learner.network.weights();
      return JSON.stringify(held.map((name) => [...weights.get(name)!.data.slice(0, 20)]));
    };
    const before = encoder();
    const rest = hashWeights(learner.network);
    await learner.fit({ epochs: 1, lr: 1e-3 });
    expect(encoder()).toBe(before);
    expect(hashWeights(learner.network)).not.toBe(rest);
    await learner.unfreeze().fit({ epochs: 1, lr: 1e-3 });
    expect(encoder()).not.toBe(before);
    await learner.dispose();
  });

  test("a chip size the network cannot take is refused with the next good one", async () => {
    await expect(createLearner(discData({ side: 18 }), { base: 4, depth: 3, threads: 1 })).rejects.toMatchObject({
      code: "CHIP_SIZE_NOT_DIVISIBLE",
      hint: "Use chips of 24 x 24 pixels, or cut these smaller when training: `chipSize: 16`.",
    });
  });

  test("names of TensorFlow's networks decide how the encoder pads; a package keeps it", async () => {
    const small = { threads: 1, backbone: "mobilenet_v2", decoderWidths: [4, 4, 4, 4, 4] } as const;
    await startEngine({ threads: 1 });
    const source = createNetwork("unet", { bands: 3, classes: 2, ...small }, { seed: 5 });
    const file = new Map<string, HostTensor>();
    // As Keras names and turns them.
    for (const [name, { data, shape }] of source.weights()) {
      if (name === "encoder.features.0.0.weight") {
        const turned = new Float32Array(data.length);
        for (let i = 0; i < data.length; i++) {
          const [o, c, tap] = [Math.floor(i / 27), Math.floor(i / 9) % 3, i % 9];
          turned[(tap * 3 + c) * 32 + o] = data[i]!;
        }
        file.set("Conv1/kernel", { data: turned, shape: [3, 3, 3, 32], dtype: "float32" });
      } else if (name.startsWith("encoder.features.0.1.")) {
        const part = { weight: "gamma", bias: "beta", running_mean: "moving_mean", running_var: "moving_variance" }[
          name.split(".").at(-1)!
        ]!;
        file.set(`bn_Conv1/${part}`, { data, shape, dtype: "float32" });
      }
    }
    source.dispose();
    const path = join(folder, "keras.safetensors");
    await writeFile(path, encodeSafetensors(file));
    // Half an encoder is refused, but only after its names were understood.
    await expect(createLearner(discData({ side: 32 }), { ...small, weights: path })).rejects.toMatchObject({
      code: "WEIGHTS_MISMATCH",
      message: expect.stringContaining("expanded_conv_depthwise/depthwise_kernel is missing") as string,
    });
    const learner = await createLearner(discData({ side: 32 }), { ...small, convention: "tensorflow" });
    expect(learner.network.config).toMatchObject({ backbone: "mobilenetv2", convention: "tensorflow" });
    const saved = join(folder, "mobile.dlpk");
    await learner.save(saved);
    await learner.dispose();
    for (const more of [{}, { backbone: "mobilenetv2" } as const]) {
      const again = await createLearner(discData({ side: 32 }), { threads: 1, pretrained: saved, ...more });
      expect(again.network.config["convention"]).toBe("tensorflow");
      await again.dispose();
    }
  });

  test("normalization is that of the data, of ImageNet, or one's own", async () => {
    const of = async (options: LearnerOptions): Promise<unknown> => {
      const learner = await createLearner(discData(), { ...SMALL, ...options });
      await learner.dispose();
      return learner.network.config["normalization"];
    };
    const { statistics } = discData();
    const measured = { mean: statistics.map(({ mean }) => mean), std: statistics.map(({ std }) => std) };
    expect(await of({})).toEqual(measured);
    expect(await of({ normalization: "data" })).toEqual(measured);
    const { mean, std } = (await of({ normalization: "imagenet" })) as typeof measured;
    // torchvision's constants for pixels of 0 to 1.
    expect(mean.map((v) => v / 255)).toEqual([0.485, 0.456, 0.406].map((v) => expect.closeTo(v, 10) as number));
    expect(std.map((v) => v / 255)).toEqual([0.229, 0.224, 0.225].map((v) => expect.closeTo(v, 10) as number));
    const own = { mean: [1, 2, 3], std: [4, 5, 6] };
    expect(await of({ normalization: own })).toEqual(own);
    const chips = discChips(2, { side: 16 });
    const sixteen = { ...memoryData({ train: chips, valid: chips, side: 16, bands: 3, classes: DISC_CLASSES }), sampleType: "uint16" };
    await expect(createLearner(sixteen, { ...SMALL, normalization: "imagenet" })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  test("weights are fetched from an address with a checksum only", async () => {
    const source = await createLearner(discData(), SMALL);
    const bytes = encodeSafetensors(source.network.weights());
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const requests: string[] = [];
    const server = createServer((request, response) => {
      requests.push(request.url!);
      response.end(bytes);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/disc.safetensors?key=secret`;
    const lines: string[] = [];
    const options = { ...SMALL, seed: 99, network: { allowPrivate: true }, log: (line: string) => lines.push(line) };
    const cache = process.env["GEOLEARN_CACHE"];
    process.env["GEOLEARN_CACHE"] = join(folder, "cache");
    try {
      await expect(createLearner(discData(), { ...options, weights: address })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
      expect(requests).toEqual([]);
      for (const given of [{ weights: `${address}#sha256=${sha256}` }, { weights: address, sha256 }]) {
        const learner = await createLearner(discData(), { ...options, ...given });
        const name = "middle.conv2.weight";
        expect(learner.network.weights().get(name)).toEqual(source.network.weights().get(name));
        expect(learner.frozen).toBe(true);
        await learner.dispose();
      }
      expect(requests.length).toBe(1);
      expect(lines.join()).toMatch(/were read from .*disc\.safetensors \(names of torchvision\)/);
      expect(lines.join()).not.toContain("secret");
    } finally {
      if (cache === undefined) delete process.env["GEOLEARN_CACHE"];
      else process.env["GEOLEARN_CACHE"] = cache;
      await new Promise((resolve) => server.close(resolve));
      await source.dispose();
    }
  });
});
