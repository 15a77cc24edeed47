/**
 * A few training steps on a labelled scene: pieces of it are drawn at random (the seed decides which), and AdamW follows the cross-entropy.
 * The same code runs in a page and in Node.
 */

import { GeoLearnError, type Raster, createRng } from "@geolearn/core";
import { type HostTensor, compile, createOptimizer } from "@geolearn/engine";
import { type ModelPackage, loadNetwork, pixelLoss } from "@geolearn/models";
import * as tf from "@tensorflow/tfjs";

/** How to train. */
export interface TrainOptions {
  readonly steps: number;
  readonly learningRate: number;
  /** Pieces of the scene a step. @defaultValue 4 */
  readonly batchSize?: number;
  /** Side of a piece in pixels. @defaultValue the model's chip size */
  readonly size?: number;
  /** @defaultValue 1 */
  readonly seed?: number;
  readonly onStep?: (step: number, loss: number) => void;
}

/** Losses of the steps and the weights afterwards. */
export interface TrainResult {
  readonly losses: readonly number[];
  readonly weights: ReadonlyMap<string, HostTensor>;
}

/** Label of pixels that do not count. */
const IGNORED = -1;

/**
 * Trains a model's network on a scene and a raster of class values on the same grid. Values that are no class of the model are ignored.
 *
 * @throws INVALID_ARGUMENT when the rasters differ in size or are smaller than a piece
 */
export async function trainSteps(model: ModelPackage, scene: Raster, labels: Raster, options: TrainOptions): Promise<TrainResult> {
  const { steps, learningRate, batchSize = 4, size = model.manifest.chipWidth, seed = 1, onStep } = options;
  const { bandIndices, classes } = model.manifest;
  if (labels.width !== scene.width || labels.height !== scene.height) {
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `The labels have ${labels.width} x ${labels.height} pixels, the scene ${scene.width} x ${scene.height}.`,
      { hint: "Give a raster of class values on the scene's own grid." },
    );
  }
  if (size > scene.width || size > scene.height) {
    throw new GeoLearnError("INVALID_ARGUMENT", `The scene is smaller than a piece of ${size} x ${size} pixels.`);
  }
  const network = loadNetwork(model, { task: "pixelClassification" });
  const trained = network.parameters.filter(({ trainable }) => trainable).map(({ variable }) => variable);
  const loss = pixelLoss({ type: "crossEntropy", ignoreIndex: IGNORED });
  const optimizer = createOptimizer({ type: "adamw", weightDecay: 0.01 }, trained);
  const step = compile(
    ({ images, targets, rate, number }) => {
      const forward = (): tf.Scalar =>
        network.loss(network.forward(images as tf.Tensor4D, { training: true }), targets as tf.Tensor3D, loss);
      const { value, grads } = tf.variableGrads(forward, trained);
      optimizer.apply(trained.map((variable) => grads[variable.name]!), rate!, number!); // prettier-ignore
      return { loss: value };
    },
    {
      inputs: {
        images: { shape: [batchSize, size, size, bandIndices.length], dtype: "float32" },
        targets: { shape: [batchSize, size, size], dtype: "int32" },
        rate: { shape: [], dtype: "float32" },
        number: { shape: [], dtype: "float32" },
      },
    },
  );
  const index = new Map(classes.map(({ value }, i) => [value, i]));
  const rng = createRng(seed);
  const images = new Float32Array(batchSize * size * size * bandIndices.length);
  const targets = new Int32Array(batchSize * size * size);
  const losses: number[] = [];
  try {
    for (let number = 1; number <= steps; number++) {
      for (let slot = 0; slot < batchSize; slot++) {
        const col = rng.int(scene.width - size + 1);
        const row = rng.int(scene.height - size + 1);
        await readPiece(scene, labels, { col, row, width: size, height: size }, bandIndices, index, images, targets, slot);
      }
      const results = await step.run({ images, targets, rate: learningRate, number });
      losses.push(results["loss"]!.data[0]!);
      onStep?.(number, losses[losses.length - 1]!);
    }
    const weights = new Map([...network.weights()].map(([name, tensor]) => [name, { ...tensor, data: tensor.data.slice() }]));
    return { losses, weights };
  } finally {
    await step.dispose();
    optimizer.dispose();
    network.dispose();
  }
}

interface Piece {
  readonly col: number;
  readonly row: number;
  readonly width: number;
  readonly height: number;
}

async function readPiece(
  scene: Raster,
  labels: Raster,
  window: Piece,
  bands: readonly number[],
  index: ReadonlyMap<number, number>,
  images: Float32Array,
  targets: Int32Array,
  slot: number,
): Promise<void> {
  const pixels = window.width * window.height;
  const { data, mask } = await scene.read(window, { bands });
  const truth = await labels.read(window, { bands: [0] });
  for (let p = 0; p < pixels; p++) {
    for (let band = 0; band < bands.length; band++) images[(slot * pixels + p) * bands.length + band] = Number(data[band * pixels + p]);
    const valid = mask?.[p] !== 0 && truth.mask?.[p] !== 0;
    targets[slot * pixels + p] = valid ? (index.get(Number(truth.data[p])) ?? IGNORED) : IGNORED;
  }
}
