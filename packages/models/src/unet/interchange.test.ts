import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { compile, startEngine } from "@geolearn/engine";
import type * as tf from "@tensorflow/tfjs";
import { describe, expect, it } from "vitest";

import { greatestDifference, patternImage } from "../testing/pattern.ts";
import { writeSafetensors } from "../weights/safetensors-file.ts";
import { createUNet } from "./unet.ts";

const root = new URL("../../../../", import.meta.url);
const python = join(process.env["GEOLEARN_PEERS"] ?? fileURLToPath(new URL("../.venv-peers", root)), "bin/python");
const networks = fileURLToPath(new URL("../shared/bench/networks.py", root));
const script = fileURLToPath(new URL("tests/oracles/unet_forward.py", root));
const present = existsSync(python) && existsSync(networks);

describe.skipIf(!present)("a weight file of ours in PyTorch's networks (needs the Python peers and the benchmark's networks)", () => {
  it.each([
    ["PlainUNet", { bands: 3, classes: 2 }],
    ["ResNet18UNet", { bands: 3, classes: 2, backbone: "resnet18" as const }],
  ])("%s scores as ours does", async (name, config) => {
    await startEngine();
    const folder = await mkdtemp(join(tmpdir(), "interchange-"));
    try {
      const network = createUNet({ ...config, normalization: { mean: [100, 90, 80], std: [30, 20, 10] } }, { seed: 11 });
      const [weights, image, logits] = ["weights.safetensors", "image.f32", "logits.f32"].map((file) => join(folder, file)) as [
        string,
        string,
        string,
      ];
      await writeSafetensors(weights, network.weights());
      const shape = [1, 64, 96, 3];
      const pixels = patternImage(64 * 96 * 3);
      await writeFile(image, pixels);
      execFileSync(python, [script, networks, name, weights, image, "64", "96", logits, "100,90,80", "30,20,10"]);
      const expected = new Float32Array(new Uint8Array(await readFile(logits)).buffer);
      const run = compile(({ x }) => ({ y: network.forward(x as tf.Tensor4D, { training: false }) }), {
        inputs: { x: { shape, dtype: "float32" } },
      });
      const { y } = await run.run({ x: pixels });
      expect(greatestDifference(y!.data, expected)).toBeLessThan(1e-4);
      await run.dispose();
      network.dispose();
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
