/** What classifying whole chips feeds to a step, and its compiled evaluation. */

import type { TileBatch, TileData } from "@geolearn/data-prep";
import { compile, type TensorSpec } from "@geolearn/engine";
import { meanTileLoss, type TileLoss, type TileNetwork } from "@geolearn/models";
import type * as tf from "@tensorflow/tfjs";

import type { FedBatch, TaskGraph } from "../task.ts";

/** What the graphs are made of. */
export interface TileGraphOptions {
  readonly network: TileNetwork;
  readonly loss: TileLoss;
  readonly data: Pick<TileData, "batchSize" | "chipHeight" | "chipWidth" | "bands" | "classes" | "multiLabel">;
}

/** Inputs and loss of a training step. */
export function tileGraph({ network, loss, data }: TileGraphOptions): TaskGraph {
  return {
    inputs: batchInputs(data),
    loss: ({ images, labels }) => meanTileLoss(loss(network.forward(images as tf.Tensor4D, { training: true }), labels!)),
  };
}

/** The arrays of a batch as the step takes them. */
export function feedsOf({ images, labels }: Pick<TileBatch, "images" | "labels">): FedBatch["feeds"] {
  return { images, labels: labels instanceof Int32Array ? labels : Float32Array.from(labels) };
}

/** What one evaluation batch gives, chip by chip. */
export interface TileResult {
  /** `[size, classes]`, 0 to 1. */
  readonly scores: Float32Array;
  /** Loss and weight of each chip; null when the loss is not known. */
  readonly losses: { readonly values: Float32Array; readonly weights: Float32Array } | null;
}

/** A compiled forward pass with loss and scores. */
export interface TileEvaluationStep {
  run(batch: Pick<TileBatch, "images" | "labels" | "size">): Promise<TileResult>;
  dispose(): Promise<void>;
}

/** Records the forward pass with stored statistics. */
export function createTileEvaluation({ network, loss, data }: TileGraphOptions): TileEvaluationStep {
  const step = compile(
    ({ images, labels }) => {
      const logits = network.forward(images as tf.Tensor4D, { training: false });
      const { losses, weights } = loss(logits, labels!);
      return { losses, weights, scores: network.decode(logits) };
    },
    { inputs: batchInputs(data) },
  );
  return {
    async run(batch) {
      const { losses, weights, scores } = await step.run(feedsOf(batch));
      return {
        scores: scores!.data as Float32Array,
        losses: { values: losses!.data as Float32Array, weights: weights!.data as Float32Array },
      };
    },
    dispose: () => step.dispose(),
  };
}

function batchInputs({ batchSize, chipHeight, chipWidth, bands, classes, multiLabel }: TileGraphOptions["data"]): {
  readonly images: TensorSpec;
  readonly labels: TensorSpec;
} {
  return {
    images: { shape: [batchSize, chipHeight, chipWidth, bands], dtype: "float32" },
    labels: multiLabel ? { shape: [batchSize, classes.length], dtype: "float32" } : { shape: [batchSize], dtype: "int32" },
  };
}
