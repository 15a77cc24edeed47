/** Recording operations that tfjs does not know. */

import * as tf from "@tensorflow/tfjs";
import { onnxBackend } from "../graph/backend.ts";
import type { Attributes } from "../graph/value.ts";
import type { TensorType } from "../types.ts";

/** Records an operation of the lowering table and returns its tensor. Gradients do not pass through it. */
export function emit(
  op: string,
  inputs: readonly tf.TensorInfo[],
  attributes: Attributes,
  shape: readonly number[],
  dtype: TensorType = "float32",
): tf.Tensor {
  return tf.engine().makeTensorFromTensorInfo(onnxBackend().emit(op, inputs, attributes, shape, dtype));
}
