import { startEngine } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";

import { createNetwork } from "../network/registry.ts";
import { describeParity } from "../testing/pixel-parity.ts";
import type { PSPNetConfig } from "./config.ts";
import { createPSPNet, pspNetBlueprint } from "./pspnet.ts";

beforeAll(async () => {
  await startEngine();
});

describeParity("pspnet", new URL("./fixtures/pspnet.json", import.meta.url));

describe("a PSPNet", () => {
  it("stands on a ResNet-50 unless told otherwise, and is built again from its configuration", () => {
    const { config } = pspNetBlueprint({ bands: 3, classes: 2 });
    expect(config["backbone"]).toBe("resnet50");
    const first = createPSPNet({ bands: 2, classes: 3, backbone: "mobilenet_v3_small", decoderWidth: 8 }, { seed: 3 });
    const again = createNetwork(first.modelType, JSON.parse(JSON.stringify(first.config)) as Record<string, unknown>, {
      weights: first.weights(),
    });
    expect(again.config).toEqual(first.config);
    expect([...again.weights().keys()]).toEqual([...first.weights().keys()]);
    expect([...first.sizedBy().bands]).toEqual(["encoder.features.0.0.weight"]);
    expect([...first.sizedBy().classes]).toEqual(["segmentation_head.0.weight", "segmentation_head.0.bias"]);
    first.dispose();
    again.dispose();
  });

  it("leaves out other values in each training step, and none otherwise", async () => {
    const network = createPSPNet({ bands: 1, classes: 2, backbone: "mobilenetv3-small", decoderWidth: 8, norm: "group" }, { seed: 3 });
    const image = tf.randomUniform<tf.Rank.R4>([1, 32, 32, 1], 0, 1, "float32", 4);
    const scores = (training: boolean): Promise<Float32Array> =>
      (network.forward(image, { training }) as tf.Tensor).data() as Promise<Float32Array>;
    const [a, b, c, d] = [await scores(true), await scores(true), await scores(false), await scores(false)];
    expect(a).not.toEqual(b);
    expect(c).toEqual(d);
    network.dispose();
  });
});

describe("refusals", () => {
  it("sides that do not divide, and other bands", () => {
    const { forward, stride } = pspNetBlueprint({ bands: 3, classes: 2, backbone: "resnet18" });
    expect(stride).toBe(8);
    const run = (shape: number[]): unknown => forward({ shape } as unknown as tf.Tensor4D, { training: false, value: () => null as never });
    expect(() => run([1, 64, 84, 3])).toThrow(expect.objectContaining({ code: "CHIP_SIZE_NOT_DIVISIBLE" }) as Error);
    expect(() => run([1, 64, 64, 4])).toThrow(expect.objectContaining({ code: "BANDS_MISMATCH" }) as Error);
  });

  it.each<[string, object]>([
    ["backbone", { bands: 3, classes: 2, backbone: "resnet51" }],
    ["decoderWidth", { bands: 3, classes: 2, decoderWidth: 0 }],
    ["dropout", { bands: 3, classes: 2, dropout: 1 }],
    ["margin", { bands: 3, classes: 2, margin: -1 }],
    ["depth", { bands: 3, classes: 2, depth: 2 }],
    ["outputStride", { bands: 3, classes: 2, outputStride: 16 }],
    ["pyramidSizes", { bands: 3, classes: 2, pyramidSizes: [] }],
    ["pyramidSizes", { bands: 3, classes: 2, pyramidSizes: [1, 2.5] }],
  ])("a configuration with a wrong %s", (field, config) => {
    expect(() => pspNetBlueprint(config as PSPNetConfig)).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT", data: { field } }) as Error,
    );
  });
});
