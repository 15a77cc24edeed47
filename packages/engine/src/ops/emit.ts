/** Recording operations that tfjs does not know. */

import * as tf from "@tensorflow/tfjs";
import { engineInfo } from "../engine-state.ts";
import { onnxBackend } from "../graph/backend.ts";
import type { Attributes } from "../graph/value.ts";
import type { TensorType } from "../types.ts";
import { direct } from "./direct.ts";

/** Records an operation of the lowering table, or runs it where tfjs runs directly, and returns its tensor. Gradients do not pass through it. */
export function emit(
  op: string,
  inputs: readonly tf.TensorInfo[],
  attributes: Attributes,
  shape: readonly number[],
  dtype: TensorType = "float32",
): tf.Tensor {
  const ran = engineInfo()?.device === "tensorflow" ? direct(op, inputs as tf.Tensor[], attributes, shape) : null;
  if (ran !== null) return ran;
  return tf.engine().makeTensorFromTensorInfo(onnxBackend().emit(op, inputs, attributes, shape, dtype));
}
