/** Marking what never changes. */

import * as tf from "@tensorflow/tfjs";
import { engineInfo } from "./engine-state.ts";
import { onnxBackend } from "./graph/backend.ts";
import { asConstants, markConstant } from "./graph/recording.ts";
import type { TensorData, TensorType } from "./types.ts";

/**
 * A tensor whose values may be written into compiled graphs: made from values, or an existing tensor that is marked.
 * Inside `compile` plain `tf.tensor(...)` is refused, since replays would silently keep its first values.
 *
 * @example
 * const weights = constant(Float32Array.of(1, 2, 0.5), [3]);
 */
export function constant(values: tf.Tensor): tf.Tensor;
export function constant(values: TensorData | number, shape?: readonly number[], dtype?: TensorType): tf.Tensor;
export function constant(values: tf.Tensor | TensorData | number, shape?: readonly number[], dtype: TensorType = "float32"): tf.Tensor {
  const recorded = engineInfo()?.device !== "tensorflow";
  if (values instanceof tf.Tensor) {
    if (recorded) markConstant(onnxBackend().valueBehind(values));
    return values;
  }
  const tensor = asConstants(() =>
    typeof values === "number"
      ? tf.scalar(dtype === "bool" ? values !== 0 : values, dtype)
      : tf.tensor(values, (shape ?? [values.length]).slice(), typeOf(values, dtype)),
  );
  if (recorded) markConstant(onnxBackend().valueBehind(tensor));
  return tensor;
}

function typeOf(values: TensorData, dtype: TensorType): TensorType {
  if (values instanceof Int32Array) return "int32";
  return values instanceof Uint8Array && dtype !== "int32" ? "bool" : dtype;
}
