/** What pixel classification feeds to a step, and its compiled evaluation. */

import type { PixelBatch } from "@geolearn/data-prep";
import { type CompiledFunction, compile, type TensorSpec } from "@geolearn/engine";
import type { Network, PixelLoss } from "@geolearn/models";
import * as tf from "@tensorflow/tfjs";

import type { TaskGraph } from "../task.ts";

/** What the graphs are made of. */
export interface PixelGraphOptions {
  readonly network: Network;
  /** The Learner's loss; a network may have its own. */
  readonly loss: PixelLoss;
  /** Positions of classes whose pixels do not count. */
  readonly ignored: ReadonlySet<number>;
  /** `[batch, height, width, bands]`. */
  readonly shape: readonly [number, number, number, number];
}

/** Inputs and loss of a training step. */
export function pixelGraph({ network, loss, ignored, shape }: PixelGraphOptions): TaskGraph {
  return {
    inputs: batchInputs(shape),
    loss: ({ images, targets }) =>
      network.loss(network.forward(images as tf.Tensor4D, { training: true }), counted(targets!, network, ignored), loss),
  };
}

/** What one evaluation batch gives. */
export interface EvaluationResult {
  /** Mean over the labelled pixels of the batch; null when the loss is not known. */
  readonly loss: number | null;
  /** Class indices, `[batch, height - 2 margin, width - 2 margin]`. */
  readonly predicted: Int32Array;
}

/** A compiled forward pass with loss and classes. */
export interface EvaluationStep {
  run(batch: Pick<PixelBatch, "images" | "targets" | "size">): Promise<EvaluationResult>;
  dispose(): Promise<void>;
}

/** Records the forward pass with stored statistics. */
export function createEvaluationStep({ network, loss, ignored, shape }: PixelGraphOptions): EvaluationStep {
  const step: CompiledFunction = compile(
    ({ images, targets }) => {
      const outputs = network.forward(images as tf.Tensor4D, { training: false });
      return { loss: network.loss(outputs, counted(targets!, network, ignored), loss), predicted: tf.argMax(network.decode(outputs), 3) };
    },
    { inputs: batchInputs(shape) },
  );
  return {
    async run({ images, targets }) {
      const { loss: value, predicted } = await step.run({ images, targets });
      return { loss: value!.data[0]!, predicted: predicted!.data as Int32Array };
    },
    dispose: () => step.dispose(),
  };
}

/** Targets of the pixels a network scores. */
export function cutHostTargets(
  targets: Int32Array,
  [count, height, width]: readonly [number, number, number, number],
  margin: number,
): Int32Array {
  if (margin === 0) return targets;
  const [innerHeight, innerWidth] = [height - 2 * margin, width - 2 * margin];
  const inner = new Int32Array(count * innerHeight * innerWidth);
  for (let n = 0, to = 0; n < count; n++) {
    for (let row = margin; row < height - margin; row++, to += innerWidth) {
      const from = (n * height + row) * width + margin;
      inner.set(targets.subarray(from, from + innerWidth), to);
    }
  }
  return inner;
}

function batchInputs(shape: readonly [number, number, number, number]): { images: TensorSpec; targets: TensorSpec } {
  return { images: { shape, dtype: "float32" }, targets: { shape: shape.slice(0, 3), dtype: "int32" } };
}

/** Targets of the pixels a network scores, -1 where they do not count. */
function counted(targets: tf.Tensor, { margin }: Network, ignored: ReadonlySet<number>): tf.Tensor3D {
  const [n, height, width] = targets.shape as [number, number, number];
  const inner = margin === 0 ? targets : tf.slice(targets, [0, margin, margin], [n, height - 2 * margin, width - 2 * margin]);
  const none = tf.neg(tf.onesLike(inner));
  return [...ignored].reduce((kept, index) => tf.where(tf.equal(kept, index), none, kept), inner) as tf.Tensor3D;
}
