/** What finding objects feeds to a step, and its compiled evaluation. */

import type { MaskGrid } from "@geolearn/core";
import type { ObjectBatch, ObjectData } from "@geolearn/data-prep";
import { compile, type TensorSpec } from "@geolearn/engine";
import type { DecodeOptions, ObjectNetwork, ObjectTargets } from "@geolearn/models";
import * as tf from "@tensorflow/tfjs";

import type { FedBatch, TaskGraph } from "../task.ts";

/** What the graphs are made of. */
export interface ObjectGraphOptions {
  readonly network: ObjectNetwork;
  readonly data: Pick<ObjectData, "task" | "batchSize" | "chipHeight" | "chipWidth" | "bands" | "mostObjects">;
}

/** Inputs and loss of a training step. */
export function objectGraph({ network, data }: ObjectGraphOptions): TaskGraph {
  return {
    inputs: { ...batchInputs(data), draw: { shape: [], dtype: "int32" } },
    loss: ({ images, draw, ...truth }) =>
      total(network.losses(network.forward(images as tf.Tensor4D, { training: true }), truthOf(truth), draw as tf.Scalar)),
  };
}

/** The seed of what a step draws, a function of the batch's place alone: a run that goes on draws as one that never stopped. */
export function drawOf(seed: number, epoch: number, batch: number): Int32Array {
  return Int32Array.of(Math.imul(Math.imul(seed + 1, 0x9e3779b1) ^ (epoch + 1), 0x85ebca6b) ^ (batch + 1));
}

/** Slots for objects in a step: the same for every batch, so that there is one step. */
export function slotsOf({ mostObjects }: Pick<ObjectData, "mostObjects">): number {
  return Math.max(1, mostObjects);
}

/** The arrays of a batch with as many slots as the step has. */
export function feedsOf(batch: ObjectBatch, data: ObjectGraphOptions["data"]): FedBatch["feeds"] {
  const { images, boxes, classIndices, masks, size, maxObjects } = batch;
  const slots = slotsOf(data);
  const fitted = <T extends Float32Array | Int32Array | Uint8Array>(array: T, each: number, empty: number): T => {
    const out = new (array.constructor as new (length: number) => T)(size * slots * each).fill(empty) as T;
    const length = Math.min(slots, maxObjects) * each;
    for (let image = 0; image < size; image++) {
      out.set(array.subarray(image * maxObjects * each, image * maxObjects * each + length), image * slots * each);
    }
    return out;
  };
  return {
    ...{ images, boxes: fitted(boxes, 4, 0), classIndices: fitted(classIndices, 1, -1) },
    ...(masks === undefined || data.task !== "instanceSegmentation" ? {} : { masks: fitted(masks, data.chipHeight * data.chipWidth, 0) }),
  };
}

/** Objects a network found on a batch: `D` an image, those with score 0 are none. */
export interface FoundObjects {
  /** Sum of the parts of the loss, mean over the images of the batch; null when it is not known. */
  readonly loss: number | null;
  /** `[size, D, 4]`. */
  readonly boxes: Float32Array;
  /** `[size, D]`. */
  readonly scores: Float32Array;
  readonly classIndices: Int32Array;
  /** D. */
  readonly detections: number;
  /** The mask of an object, a grid over its box, by its place in `scores`; null from networks that find boxes only. */
  readonly maskAt: ((place: number) => MaskGrid) | null;
}

/** A compiled forward pass with loss and objects. */
export interface ObjectEvaluationStep {
  run(batch: ObjectBatch): Promise<FoundObjects>;
  dispose(): Promise<void>;
}

/** Records the forward pass with stored statistics. */
export function createObjectEvaluation({ network, data }: ObjectGraphOptions, decoding?: DecodeOptions): ObjectEvaluationStep {
  const step = compile(
    (fed) => {
      const outputs = network.forward(fed["images"] as tf.Tensor4D, { training: false });
      const { boxes, scores, classIndices, masks } = network.decode(outputs, decoding);
      const loss = total(network.losses(outputs, truthOf(fed)));
      return { loss, boxes, scores, classIndices, ...(masks === undefined ? {} : { masks }) };
    },
    { inputs: batchInputs(data) },
  );
  return {
    async run(batch) {
      const { loss, boxes, scores, classIndices, masks } = await step.run(feedsOf(batch, data));
      return {
        loss: loss!.data[0]!,
        boxes: boxes!.data as Float32Array,
        scores: scores!.data as Float32Array,
        classIndices: classIndices!.data as Int32Array,
        detections: scores!.shape[1]!,
        maskAt: masks === undefined ? null : gridsOf(masks.data as Float32Array, masks.shape[3]!),
      };
    },
    dispose: () => step.dispose(),
  };
}

/** Grids `[size, D, side, side]` one by one. */
function gridsOf(masks: Float32Array, side: number): (place: number) => MaskGrid {
  const area = side * side;
  return (place) => ({ width: side, height: side, scores: masks.subarray(place * area, (place + 1) * area) });
}

function batchInputs(data: ObjectGraphOptions["data"]): Readonly<Record<string, TensorSpec>> {
  const { task, batchSize, chipHeight, chipWidth, bands } = data;
  const slots = slotsOf(data);
  return {
    images: { shape: [batchSize, chipHeight, chipWidth, bands], dtype: "float32" },
    boxes: { shape: [batchSize, slots, 4], dtype: "float32" },
    classIndices: { shape: [batchSize, slots], dtype: "int32" },
    ...(task === "instanceSegmentation" ? { masks: { shape: [batchSize, slots, chipHeight, chipWidth], dtype: "bool" } as const } : {}),
  };
}

function truthOf({ boxes, classIndices, masks }: Readonly<Record<string, tf.Tensor>>): ObjectTargets {
  const found = { boxes: boxes as tf.Tensor3D, classIndices: classIndices as tf.Tensor2D };
  return masks === undefined ? found : { ...found, masks: masks as tf.Tensor4D };
}

function total(parts: Readonly<Record<string, tf.Scalar>>): tf.Scalar {
  return tf.addN(Object.values(parts)) as tf.Scalar;
}
