/**
 * Our side of the training step of detectors: a Mask R-CNN or a RetinaNet, one step of Adam on made-up chips. Writes its first weights to a file for the
 * peer and prints one JSON line; with `profile`, where the step's time goes.
 */

import { writeFile } from "node:fs/promises";
import { performance } from "node:perf_hooks";

import { type CompiledFunction, compile, createOptimizer, startEngine, type TensorSpec } from "@geolearn/engine";
import { createMaskRCNN, createRetinaNet, type ObjectNetwork, type ObjectTargets, writeSafetensors } from "@geolearn/models";
import * as tf from "@tensorflow/tfjs";

import { median } from "./bench.ts";
import { watchNativeSessions } from "./native-sessions.ts";
import { printStepProfile } from "./step-profile.ts";

/** What the program is told, as JSON. */
export interface DetectorSettings {
  readonly net: "mask-rcnn" | "retinanet";
  readonly batch: number;
  readonly size: number;
  readonly threads: number;
  readonly steps: number;
  /** Files the first weights and the network's configuration are written to. */
  readonly weights: string;
  readonly config: string;
  /** Print where the training step's time goes instead of the JSON line. */
  readonly profile?: boolean;
}

/** What it prints. */
export interface DetectorFigures {
  readonly params: number;
  readonly trainMsPerImage: number;
  /** Parts of the loss with stored statistics and nothing left to chance. */
  readonly losses: Readonly<Record<string, number>>;
}

const WARM_UP = 2;
const [BANDS, CLASSES, OBJECTS] = [3, 2, 6];
/** More than there are anchors, and proposals. */
const ALL = 60_000;

function createNetwork({ net }: DetectorSettings, all: boolean): ObjectNetwork {
  const sizes = [16, 32, 64, 128, 256];
  if (net === "retinanet") return createRetinaNet({ bands: BANDS, classes: CLASSES, fpnWidth: 64, anchors: { sizes } }, { seed: 1 });
  const samples = all ? { rpnSamples: ALL, rois: 1024, proposals: [200, 200] as const } : {};
  return createMaskRCNN({ bands: BANDS, classes: CLASSES, preset: "compact", ...samples }, { seed: 1 });
}

/** Rectangles of pixels: `[xmin, ymin, xmax, ymax, class]`, without their lower right quarter in the masks. */
function truthOf(image: number, size: number): number[][] {
  return Array.from({ length: OBJECTS }, (_, k) => {
    const [x, y] = [(37 * k + 23 * image) % (size - 40), (53 * k + 11 * image) % (size - 40)];
    return [x, y, x + 12 + ((7 * k) % 27), y + 12 + ((11 * k) % 25), k % CLASSES];
  });
}

function feedsOf({ net, batch, size }: DetectorSettings): Record<string, Float32Array | Int32Array | Uint8Array> {
  const images = Float32Array.from({ length: batch * size * size * BANDS }, (_, i) => Math.fround((((i * 7919) % 1000) - 500) / 500));
  const boxes = new Float32Array(batch * OBJECTS * 4);
  const classIndices = new Int32Array(batch * OBJECTS);
  const masks = new Uint8Array(batch * OBJECTS * size * size);
  for (let image = 0; image < batch; image++) {
    for (const [k, [x0, y0, x1, y1, label]] of (truthOf(image, size) as [number, number, number, number, number][]).entries()) {
      const slot = image * OBJECTS + k;
      boxes.set([x0, y0, x1, y1], 4 * slot);
      classIndices[slot] = label;
      for (let row = y0; row < y1; row++)
        for (let col = x0; col < x1; col++)
          if (row < (y0 + y1) >> 1 || col < (x0 + x1) >> 1) masks[slot * size * size + row * size + col] = 1;
    }
  }
  return { images, boxes, classIndices, ...(net === "mask-rcnn" ? { masks } : {}) };
}

function inputsOf({ net, batch, size }: DetectorSettings): Record<string, TensorSpec> {
  return {
    images: { shape: [batch, size, size, BANDS], dtype: "float32" },
    boxes: { shape: [batch, OBJECTS, 4], dtype: "float32" },
    classIndices: { shape: [batch, OBJECTS], dtype: "int32" },
    ...(net === "mask-rcnn" ? { masks: { shape: [batch, OBJECTS, size, size], dtype: "bool" } as const } : {}),
  };
}

const losses = (network: ObjectNetwork, { images, ...fed }: Record<string, tf.Tensor>, training: boolean, seed?: tf.Scalar) =>
  network.losses(network.forward(images as tf.Tensor4D, { training }), fed as unknown as ObjectTargets, seed);

function trainingStep(network: ObjectNetwork, settings: DetectorSettings): CompiledFunction {
  const variables = network.parameters.filter((parameter) => parameter.trainable).map(({ variable }) => variable);
  const adam = createOptimizer({ type: "adam" }, variables);
  return compile(
    ({ rate, step, seed, ...fed }) => {
      const { value, grads } = tf.variableGrads(() => tf.addN(Object.values(losses(network, fed, true, seed as tf.Scalar))), variables);
      adam.apply(variables.map((variable) => grads[variable.name]!), rate!, step!); // prettier-ignore
      return { loss: value };
    },
    {
      inputs: {
        ...inputsOf(settings),
        rate: { shape: [], dtype: "float32" },
        step: { shape: [], dtype: "float32" },
        seed: { shape: [], dtype: "int32" },
      },
    },
  );
}

async function firstLosses(settings: DetectorSettings): Promise<Record<string, number>> {
  const network = createNetwork(settings, true);
  await writeSafetensors(settings.weights, network.weights());
  const run = compile((fed) => ({ ...losses(network, fed, false) }), { inputs: inputsOf(settings) });
  const found = await run.run(feedsOf(settings));
  await run.dispose();
  network.dispose();
  return Object.fromEntries(Object.entries(found).map(([name, { data }]) => [name, data[0]!]));
}

async function main(settings: DetectorSettings): Promise<void> {
  const { batch, steps, threads, profile = false } = settings;
  const seen = watchNativeSessions(profile);
  await startEngine({ device: "cpu", threads });
  const first = profile ? {} : await firstLosses(settings);
  const network = createNetwork(settings, false);
  await writeFile(settings.config, JSON.stringify(network.config));
  const train = trainingStep(network, settings);
  const feeds = feedsOf(settings);
  const walls: number[] = [];
  for (let step = 1; step <= steps + WARM_UP; step++) {
    const start = performance.now();
    await train.run({ ...feeds, rate: 1e-4, step, seed: step });
    if (step > WARM_UP) walls.push((performance.now() - start) / batch);
  }
  if (profile) {
    await printStepProfile(seen.profile(WARM_UP), settings);
    return;
  }
  await train.dispose();
  const params = network.parameters.filter(({ trainable }) => trainable).reduce((sum, { variable }) => sum + variable.size, 0);
  const figures: DetectorFigures = { params, trainMsPerImage: median(walls), losses: first };
  console.log(JSON.stringify(figures));
}

await main(JSON.parse(process.argv[2]!) as DetectorSettings);
