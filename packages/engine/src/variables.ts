/** Values of variables in and out, without going through tensors. */

import { GeoLearnError } from "@geolearn/core";
import * as tf from "@tensorflow/tfjs";
import { runningEngine } from "./engine-state.ts";
import { onnxBackend } from "./graph/backend.ts";
import { leaf, sizeOf } from "./graph/value.ts";
import type { HostTensor } from "./types.ts";

/**
 * The values a variable holds now. The data are the engine's own memory: copy them before changing them.
 *
 * @throws RECORDING_READ inside a compiled function.
 */
export function readVariable(variable: tf.Variable): HostTensor {
  const { runner } = runningEngine();
  if (runner === null)
    return { data: variable.dataSync() as HostTensor["data"], shape: variable.shape, dtype: variable.dtype as HostTensor["dtype"] };
  const data = onnxBackend().readSync(variable.dataId) as HostTensor["data"];
  return { data, shape: variable.shape.slice(), dtype: variable.dtype as HostTensor["dtype"] };
}

/** Gives a variable other values; they are copied. @throws INVALID_ARGUMENT when shape or dtype differ. */
export function writeVariable(variable: tf.Variable, values: HostTensor): void {
  const same =
    values.dtype === variable.dtype && values.shape.join() === variable.shape.join() && values.data.length === sizeOf(variable.shape);
  if (!same) {
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `variable ${variable.name} is ${variable.dtype} [${variable.shape.join(", ")}]; given ${values.dtype} [${values.shape.join(", ")}] with ${values.data.length} values`,
    );
  }
  const { runner } = runningEngine();
  if (runner === null) {
    tf.tidy(() => variable.assign(tf.tensor(values.data, variable.shape, values.dtype)));
    return;
  }
  onnxBackend().replace(variable, leaf(values.data.slice(), variable.shape.slice(), values.dtype));
}
