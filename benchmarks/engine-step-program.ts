/**
 * Our side of the training-step figures: a network of pixel classification, one step (forward, backward, Adam) and one forward pass. Prints one JSON line; with
 * `profile`, where the step's time goes and what the processor could do instead.
 */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { performance } from "node:perf_hooks";

import { type CompiledFunction, compile, createOptimizer, softmaxCrossEntropy, startEngine } from "@geolearn/engine";
import { type Network, createChangeDetector, createDeepLab, createPSPNet, createUNet, writeSafetensors } from "@geolearn/models";
import * as tf from "@tensorflow/tfjs";

import { median } from "./bench.ts";
import { watchNativeSessions } from "./native-sessions.ts";
import { printStepProfile } from "./step-profile.ts";

/** What the program is told, as JSON. */
export interface StepSettings {
  readonly net: "plain" | "resnet18" | "resnet34" | "deeplab" | "pspnet" | "change";
  readonly base: number;
  readonly depth: number;
  readonly batch: number;
  readonly size: number;
  readonly threads: number;
  readonly steps: number;
  readonly bands: number;
  readonly classes: number;
  /** A folder to write the network's weights, pixels and its scores of them into, instead of timing it. */
  readonly check?: string;
  /** Print where the training step's time goes instead of the JSON line. */
  readonly profile?: boolean;
}

/** What it prints. */
export interface StepFigures {
  readonly params: number;
  readonly trainMsPerImage: number;
  readonly inferMsPerImage: number;
  /** (wall - native run) / wall of a training step. */
  readonly jsShare: number;
  /** From the recorded function to a session that runs. */
  readonly compileSeconds: number;
}

/** Runs before the timed ones, which allocate memory. */
const WARM_UP = 2;

function createNetwork({ net, bands, classes, base, depth }: StepSettings): Network {
  const shape = { bands, classes, backbone: "resnet18" } as const;
  if (net === "deeplab") return createDeepLab(shape, { seed: 1 });
  if (net === "pspnet") return createPSPNet(shape, { seed: 1 });
  if (net === "change") return createChangeDetector(shape, { seed: 1 });
  return createUNet(net === "plain" ? { bands, classes, base, depth } : { bands, classes, backbone: net }, { seed: 1 });
}

function trainingStep(network: Network, { batch, size, bands }: StepSettings): CompiledFunction {
  const variables = network.parameters.filter((parameter) => parameter.trainable).map(({ variable }) => variable);
  const adam = createOptimizer({ type: "adam" }, variables);
  const scalar = { shape: [], dtype: "float32" } as const;
  return compile(
    ({ x, y, rate, step }) => {
      const loss = (): tf.Scalar =>
        softmaxCrossEntropy(network.forward(x as tf.Tensor4D, { training: true }) as tf.Tensor4D, y!) as tf.Scalar;
      const { value, grads } = tf.variableGrads(loss, variables);
      adam.apply(variables.map((variable) => grads[variable.name]!), rate!, step!); // prettier-ignore
      return { loss: value };
    },
    {
      inputs: {
        x: { shape: [batch, size, size, bands], dtype: "float32" },
        y: { shape: [batch, size, size], dtype: "int32" },
        rate: scalar,
        step: scalar,
      },
    },
  );
}

/** Weights, pixels and scores as files, for a peer that says whether it has the same network. */
async function writeScores(network: Network, { batch, size, bands }: StepSettings, folder: string): Promise<void> {
  const x = Float32Array.from({ length: batch * size * size * bands }, (_, i) => Math.sin(i * 12.9898) * 1.4);
  const forward = compile((given) => ({ y: network.forward(given["x"] as tf.Tensor4D, { training: false }) as tf.Tensor4D }), {
    inputs: { x: { shape: [batch, size, size, bands], dtype: "float32" } },
  });
  const { y } = await forward.run({ x });
  await writeSafetensors(join(folder, "weights.safetensors"), network.weights());
  await writeFile(join(folder, "pixels.bin"), x);
  await writeFile(join(folder, "scores.bin"), y!.data as Float32Array);
  console.log(JSON.stringify({ params: parametersOf(network) }));
}

function parametersOf(network: Network): number {
  return network.parameters.filter(({ trainable }) => trainable).reduce((sum, { variable }) => sum + variable.size, 0);
}

async function main(settings: StepSettings): Promise<void> {
  const { batch, size, bands, classes, steps, threads, profile = false } = settings;
  const seen = watchNativeSessions(profile);
  await startEngine({ device: "cpu", threads });
  const network = createNetwork(settings);
  if (settings.check !== undefined) {
    await writeScores(network, settings, settings.check);
    return;
  }
  const began = performance.now();
  const train = trainingStep(network, settings);
  const x = Float32Array.from({ length: batch * size * size * bands }, (_, i) => Math.sin(i * 12.9898) * 1.4);
  const y = Int32Array.from({ length: batch * size * size }, (_, i) => Math.floor(i * 0.618) % classes);
  const [walls, shares] = [[] as number[], [] as number[]];
  let compileSeconds = 0;
  for (let step = 1; step <= steps + WARM_UP; step++) {
    const start = performance.now();
    await train.run({ x, y, rate: 1e-3, step });
    const wall = performance.now() - start;
    if (step === 1) compileSeconds = (performance.now() - began - seen.lastRunMs()) / 1000;
    if (step <= WARM_UP) continue;
    walls.push(wall / batch);
    shares.push((wall - seen.lastRunMs()) / wall);
  }
  if (profile) {
    await printStepProfile(seen.profile(WARM_UP), settings);
    return;
  }
  await train.dispose();
  const forward = compile((given) => ({ y: network.forward(given["x"] as tf.Tensor4D, { training: false }) as tf.Tensor4D }), {
    inputs: { x: { shape: [batch, size, size, bands], dtype: "float32" } },
    variables: "constant",
  });
  const forwards: number[] = [];
  for (let run = 1; run <= steps + WARM_UP; run++) {
    const start = performance.now();
    await forward.run({ x });
    if (run > WARM_UP) forwards.push((performance.now() - start) / batch);
  }
  await forward.dispose();
  const params = parametersOf(network);
  const figures: StepFigures = {
    params,
    trainMsPerImage: median(walls),
    inferMsPerImage: median(forwards),
    jsShare: median(shares),
    compileSeconds,
  };
  console.log(JSON.stringify(figures));
}

await main(JSON.parse(process.argv[2]!) as StepSettings);
