import { startEngine } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";

import { createNetwork } from "../network/registry.ts";
import { describeParity } from "../testing/pixel-parity.ts";
import { changeDetectorBlueprint, createChangeDetector } from "./change-detector.ts";
import type { ChangeDetectorConfig } from "./config.ts";

beforeAll(async () => {
  await startEngine();
});

describeParity("change-detector", new URL("./fixtures/changedetector.json", import.meta.url));

describe("a change detector", () => {
  it("sees nothing where nothing changed: of two equal dates every pixel gets the same scores", async () => {
    const network = createChangeDetector({ bands: 4, classes: 3, base: 4, depth: 2 }, { seed: 5 });
    const date = tf.randomUniform<tf.Rank.R4>([1, 16, 24, 2], 0, 255, "float32", 3);
    const scores = network.forward(tf.concat([date, date], 3), { training: false }) as tf.Tensor4D;
    // Far from the border, whose padding the decoder sees.
    const inner = (await tf.slice4d(scores, [0, 6, 6, 0], [1, 4, 12, 3]).data()) as Float32Array;
    for (let i = 3; i < inner.length; i++) expect(inner[i]).toBeCloseTo(inner[i % 3]!, 5);
    network.dispose();
  });

  it("does not care which date came first when it looks at differences, and does when both lie side by side", async () => {
    for (const fusion of ["difference", "concat"] as const) {
      const network = createChangeDetector({ bands: 4, classes: 2, base: 4, depth: 2, fusion }, { seed: 5 });
      const [a, b] = [3, 4].map((seed) => tf.randomUniform<tf.Rank.R4>([1, 16, 16, 2], 0, 1, "float32", seed)) as [
        tf.Tensor4D,
        tf.Tensor4D,
      ];
      const scores = (...dates: tf.Tensor4D[]): Promise<Float32Array> =>
        (network.forward(tf.concat(dates, 3), { training: false }) as tf.Tensor).data() as Promise<Float32Array>;
      const [forth, back] = [await scores(a, b), await scores(b, a)];
      const furthest = forth.reduce((most, v, i) => Math.max(most, Math.abs(v - back[i]!)), 0);
      if (fusion === "difference") expect(furthest).toBeLessThan(1e-5);
      else expect(furthest).toBeGreaterThan(1e-3);
      network.dispose();
    }
  });

  it("is built again from its configuration, and begins anew for other bands in its first layer only", () => {
    const first = createChangeDetector(
      { bands: 6, classes: 2, backbone: "mobilenet_v3_small", decoderWidths: [8, 8, 8, 8, 8] },
      { seed: 3 },
    );
    const config = JSON.parse(JSON.stringify(first.config)) as Record<string, unknown>;
    const again = createNetwork(first.modelType, config, { weights: first.weights() });
    expect(again.config).toEqual(first.config);
    expect([...first.sizedBy().bands]).toEqual(["encoder.features.0.0.weight"]);
    expect([...first.sizedBy().classes]).toEqual(["head.weight", "head.bias"]);
    first.dispose();
    again.dispose();
  });

  it.each<[string, object]>([
    ["bands", { bands: 3, classes: 2 }],
    ["bands", { bands: 0, classes: 2 }],
    ["fusion", { bands: 6, classes: 2, fusion: "sum" }],
    ["depth", { bands: 6, classes: 2, depth: 40 }],
    ["backbone", { bands: 6, classes: 2, backbone: "resnet51" }],
  ])("refuses a configuration with a wrong %s", (field, config) => {
    expect(() => changeDetectorBlueprint(config as ChangeDetectorConfig)).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT", data: { field } }) as Error,
    );
  });
});
