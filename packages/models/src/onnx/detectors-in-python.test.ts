import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { compile, startEngine } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { createCenterMask } from "../centermask/center-mask.ts";
import { createFCOS } from "../fcos/fcos.ts";
import type { ModelManifest } from "../manifest.ts";
import type { ObjectNetwork } from "../network.ts";
import { createSSD } from "../ssd/ssd.ts";
import { pattern, unpack } from "../testing/pattern.ts";
import { pythonPresent, runOracle } from "../testing/python.ts";
import { toOnnx } from "./to-onnx.ts";

const [HEIGHT, WIDTH, MOST] = [64, 96, 40];
const DECODING = { minScore: 0.011, maxDetections: MOST };
const common = { bands: 3, classes: 3 };

/** Those whose files are not compared in tests of their own. */
const NETWORKS: readonly [string, ObjectNetwork["task"], () => ObjectNetwork][] = [
  ["SSDLite", "objectDetection", () => createSSD({ ...common, variant: "lite", maps: [16, 32, 64] }, { seed: 4 }) as ObjectNetwork],
  ["SingleShotDetector", "objectDetection", () => createSSD({ ...common, maps: [8, 16, 32, 64] }, { seed: 4 }) as ObjectNetwork],
  ["FCOS", "objectDetection", () => createFCOS({ ...common, fpnWidth: 16, headDepth: 1 }, { seed: 4 }) as ObjectNetwork],
  [
    "CenterMask",
    "instanceSegmentation",
    () => createCenterMask({ ...common, fpnWidth: 16, headDepth: 1, maskHeadWidth: 16, maskHeadDepth: 1 }, { seed: 4 }) as ObjectNetwork,
  ],
];

let folder: string;
beforeAll(async () => {
  await startEngine({ threads: 1 });
  folder = await mkdtemp(join(tmpdir(), "detectors-in-python-"));
});
afterAll(() => rm(folder, { recursive: true }));

const manifestOf = (network: ObjectNetwork): ModelManifest => ({
  ...{ task: network.task, name: "Trees", modelType: network.modelType, backbone: "resnet18", config: network.config },
  classes: ["oak", "beech", "pine"].map((name, i) => ({ value: i + 1, name, color: [10 * i, 200, 0] })),
  ...{ bandNames: ["r", "g", "b"], bandIndices: [0, 1, 2], sampleType: "float32", chipWidth: WIDTH, chipHeight: HEIGHT, resolution: 0.3 },
  statistics: Array.from({ length: 3 }, () => ({ min: -1, max: 1, mean: 0, std: 1, count: 1000 })),
  ...{ metrics: {}, training: {} },
});

const pixels = Float32Array.from(pattern("image", HEIGHT * WIDTH * 3), (v) => 3 * v);

interface Told {
  readonly domains: readonly string[];
  readonly outputs: readonly { readonly name: string; readonly type: string; readonly dims: readonly number[] }[];
  readonly runs: readonly { readonly outputs: Readonly<Record<string, { readonly data: string }>> }[];
}

describe.skipIf(!pythonPresent)("files pass onnx.checker and give the network's objects in Python (needs the Python peers)", () => {
  it.each(NETWORKS)("%s", { timeout: 120_000 }, async (name, task, create) => {
    const network = create();
    const path = join(folder, `${name}.onnx`);
    await writeFile(path, toOnnx(network, manifestOf(network), DECODING).bytes);
    const list = join(folder, `${name}.json`);
    const data = Buffer.from(pixels.buffer).toString("base64");
    await writeFile(list, JSON.stringify([{ inputs: { input: { shape: [1, 3, HEIGHT, WIDTH], data } } }]));
    const told = runOracle("run_onnx.py", path, list) as Told;
    expect(told.domains).toEqual([""]);
    expect(told.outputs.slice(0, 3)).toEqual([
      { name: "boxes", type: "FLOAT", dims: [MOST, 4] },
      { name: "labels", type: "INT32", dims: [MOST] },
      { name: "scores", type: "FLOAT", dims: [MOST] },
    ]);
    expect(told.outputs.slice(3).map((output) => output.name)).toEqual(task === "instanceSegmentation" ? ["masks"] : []);

    const run = compile(
      ({ x }) => ({ ...network.decode(network.forward(tf.transpose(x!, [0, 2, 3, 1]) as tf.Tensor4D, { training: false }), DECODING) }),
      { inputs: { x: { shape: [1, 3, HEIGHT, WIDTH], dtype: "float32" } } },
    );
    const { boxes, scores, classIndices, masks } = await run.run({ x: pixels });
    await run.dispose();
    network.dispose();
    const theirs = Object.fromEntries(Object.entries(told.runs[0]!.outputs).map(([output, { data: bytes }]) => [output, unpack(bytes)]));
    const there = scores!.data.filter((score) => score > 0).length;
    expect(there).toBeGreaterThan(5);
    expect(theirs["scores"]!.filter((score) => score > 0).length).toBe(there);
    // Scores that are alike to float32's last digits may change places: each object is looked for among those of its class.
    const area = masks === undefined ? 0 : masks.data.length / MOST;
    for (let k = 0; k < there; k++) {
      const distances = Array.from({ length: there }, (_, other) => {
        if (theirs["labels"]![other] !== classIndices!.data[k]) return Infinity;
        const moved = [0, 1, 2, 3].map((side) => Math.abs(theirs["boxes"]![4 * other + side]! - boxes!.data[4 * k + side]!));
        // Coordinates of up to 96, scores of up to 1.
        return Math.max(...moved.map((by) => by / WIDTH), Math.abs(theirs["scores"]![other]! - scores!.data[k]!));
      });
      const nearest = distances.indexOf(Math.min(...distances));
      expect(distances[nearest], `object ${k}`).toBeLessThan(1e-4);
      if (masks === undefined) continue;
      const drawn = masks.data.subarray(k * area, (k + 1) * area);
      const other = theirs["masks"]!.subarray(nearest * area, (nearest + 1) * area);
      expect(Math.max(...Array.from(drawn, (value, i) => Math.abs(value - other[i]!)))).toBeLessThan(1e-4);
    }
  });
});
