/** The network under test: built, fed and run for the checks of the suite. */

import { createRng, GeoLearnError } from "@geolearn/core";
import type { PixelBatch } from "@geolearn/data-prep";
import { compile, startEngine } from "@geolearn/engine";
import { createNetwork, type ModelManifest, type ModelShape, type Network, pixelLoss } from "@geolearn/models";
import type * as tf from "@tensorflow/tfjs";

import { createTrainingStep, type TrainingStep } from "../learner/training-step.ts";
import { pixelGraph } from "../tasks/pixels/graph.ts";

/** Height and width of images. */
export interface ImageSize {
  readonly height: number;
  readonly width: number;
}

/** What a suite is told. */
export interface SubjectOptions {
  readonly modelType: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly shapes: readonly ModelShape[];
  readonly steps: number;
  readonly lr: number;
}

/** Images of every batch. */
const IMAGES = 2;
/** The Learner's own loss, as it is when nobody chooses. */
const LOSS = pixelLoss({ type: "crossEntropy" });

/** Builds networks of one kind and runs them. */
export class Subject {
  constructor(readonly options: SubjectOptions) {}

  /** The shape most checks use. */
  get shape(): ModelShape {
    return this.options.shapes[0]!;
  }

  /** Gives `work` a network and frees it afterwards. */
  async with<T>(
    work: (network: Network) => T | Promise<T>,
    { shape = this.shape, seed = 1 }: { shape?: ModelShape; seed?: number } = {},
  ): Promise<T> {
    await startEngine();
    const normalization = { mean: Array(shape.bands).fill(110) as number[], std: Array(shape.bands).fill(45) as number[] };
    const network = createNetwork(
      this.options.modelType,
      { ...this.options.config, ...shape, normalization },
      { seed, task: "pixelClassification" },
    );
    try {
      return await work(network);
    } finally {
      network.dispose();
    }
  }

  /** The same, after some steps of training: weights and running statistics are no longer the first ones. */
  async withTrained<T>(work: (network: Network) => T | Promise<T>): Promise<T> {
    return this.with(async (network) => {
      await this.train(network, 3);
      return work(network);
    });
  }

  /** The smallest size the network says it takes. */
  smallest({ stride, margin }: Network): number {
    return Math.max(stride, Math.ceil((2 * margin + 1) / stride) * stride);
  }

  /** Some size that is not square. */
  size(network: Network): ImageSize {
    const { stride, margin } = network;
    const height = Math.ceil((16 + 2 * margin) / stride) * stride;
    return { height, width: height + stride };
  }

  /** Images whose classes show in every band, with their class positions; some pixels without one. */
  batch(network: Network, { height, width }: ImageSize, seed = 1): PixelBatch {
    const { bands, classes } = shapeOf(network);
    const rng = createRng(seed);
    const images = new Float32Array(IMAGES * height * width * bands);
    const targets = new Int32Array(IMAGES * height * width);
    for (let p = 0; p < targets.length; p++) {
      const [row, col] = [Math.floor(p / width), p % width];
      const index = (Math.floor(row / 5) + Math.floor(col / 7) + seed) % classes;
      targets[p] = rng.next() < 0.05 ? -1 : index;
      for (let b = 0; b < bands; b++) images[p * bands + b] = 60 + (100 * index) / Math.max(1, classes - 1) + 8 * rng.normal() + b;
    }
    return { images, targets, size: IMAGES, real: IMAGES, names: ["first", "second"] };
  }

  /** Scores of images `[n, height, width, bands]` with stored statistics. */
  async scores(
    network: Network,
    images: Float32Array,
    { height, width }: ImageSize,
  ): Promise<{ values: Float32Array; shape: readonly number[] }> {
    const { bands } = shapeOf(network);
    const shape = [images.length / (height * width * bands), height, width, bands];
    const run = compile(({ x }) => ({ scores: network.decode(network.forward(x as tf.Tensor4D, { training: false })) }), {
      inputs: { x: { shape, dtype: "float32" } },
    });
    try {
      const { scores } = await run.run({ x: images });
      return { values: scores!.data as Float32Array, shape: scores!.shape };
    } finally {
      await run.dispose();
    }
  }

  /** The Learner's own step. */
  step(network: Network): TrainingStep {
    const { height, width } = this.size(network);
    const shape = [IMAGES, height, width, shapeOf(network).bands] as const;
    const graph = pixelGraph({ network, loss: LOSS, ignored: new Set(), shape });
    return createTrainingStep({ graph, network, frozen: false }, { optimizer: "adam" });
  }

  /** Losses of some steps; every step sees another batch, or all the same one. */
  async train(network: Network, steps: number, { lr = 1e-2, same = false }: { lr?: number; same?: boolean } = {}): Promise<number[]> {
    const step = this.step(network);
    try {
      const losses: number[] = [];
      for (let n = 1; n <= steps; n++) {
        const { names, images, targets } = this.batch(network, this.size(network), same ? 1 : n);
        losses.push((await step.run({ names, feeds: { images, targets } }, { lr, beta1: null }, n)).loss);
      }
      return losses;
    } finally {
      await step.dispose();
    }
  }

  /** Losses of a batch, computed by `of` from the forward pass. */
  async losses(
    network: Network,
    { images, targets }: PixelBatch,
    of: (outputs: ReturnType<Network["forward"]>, classIndices: tf.Tensor3D) => Record<string, tf.Tensor>,
  ): Promise<Record<string, number>> {
    const { height, width } = this.size(network);
    const { margin } = network;
    const inner = [height - 2 * margin, width - 2 * margin] as const;
    const { bands } = shapeOf(network);
    const run = compile(({ x, t }) => of(network.forward(x as tf.Tensor4D, { training: true }), t as tf.Tensor3D), {
      inputs: { x: { shape: [IMAGES, height, width, bands], dtype: "float32" }, t: { shape: [IMAGES, ...inner], dtype: "int32" } },
    });
    const cut = targets.filter((_, p) => {
      const [row, col] = [Math.floor(p / width) % height, p % width];
      return row >= margin && row < height - margin && col >= margin && col < width - margin;
    });
    try {
      const results = await run.run({ x: images, t: cut });
      return Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, data[0]!]));
    } finally {
      await run.dispose();
    }
  }

  /** The network's own loss, with the Learner's at hand. */
  loss(network: Network, outputs: ReturnType<Network["forward"]>, classIndices: tf.Tensor3D): tf.Scalar {
    return network.loss(outputs, classIndices, LOSS);
  }

  /** A description to save the network with. */
  manifest(network: Network): ModelManifest {
    const { bands, classes } = shapeOf(network);
    const { height, width } = this.size(network);
    const list = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
    return {
      task: "pixelClassification",
      name: network.modelType,
      modelType: network.modelType,
      backbone: null,
      config: network.config,
      classes: list(classes, (value) => ({ value, name: `class ${value}`, color: [value % 256, 0, 0] as const })),
      bandNames: list(bands, (b) => `band ${b + 1}`),
      bandIndices: list(bands, (b) => b),
      sampleType: "uint8",
      statistics: list(bands, () => ({ min: 0, max: 255, mean: 110, std: 45, count: 1 })),
      chipWidth: width,
      chipHeight: height,
      resolution: null,
      metrics: {},
      training: {},
    };
  }
}

/** What a network was built for. */
export function shapeOf({ config }: Network): ModelShape {
  return { bands: config["bands"] as number, classes: config["classes"] as number };
}

/** A check failed: what is wrong, and how to mend it. */
export function failed(what: string, mend: string, cause?: unknown): GeoLearnError {
  return new GeoLearnError("MODEL_INVALID", `${what}. ${mend}`, { hint: mend, ...(cause === undefined ? {} : { cause }) });
}
