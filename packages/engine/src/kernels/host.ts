/**
 * Kernels whose results have a shape only their values tell. Outside a recording tfjs's own kernels compute them in JavaScript; inside there are no
 * values, so they are refused with a way on.
 */

import { GeoLearnError } from "@geolearn/core";
import * as tf from "@tensorflow/tfjs";
import { tensorType } from "../graph/backend.ts";
import { currentRecording } from "../graph/recording.ts";
import type { Kernel, KernelTable } from "./register.ts";

/** The error of an operation that needs values while there are none. */
export function hostError(kernel: string, hint: string): GeoLearnError {
  return new GeoLearnError("RECORDING_READ", `${kernel} gives a result whose shape depends on values; a recorded function has none yet`, {
    hint,
    data: { kernel },
  });
}

const HINT = "Compute it before the compiled function and pass the result as an input, or after it on its outputs.";

const HINTS: Readonly<Record<string, string>> = {
  Unique: "Use tf.oneHot and sums, or tf.denseBincount for whole numbers of known range; or compute it outside the compiled function.",
  SparseSegmentSum: "Use tf.unsortedSegmentSum, whose number of segments is given.",
  SparseSegmentMean: "Use tf.unsortedSegmentSum of the values and of ones, whose number of segments is given.",
  SparseFillEmptyRows: HINT,
  SparseReshape: HINT,
};

const onHost =
  (name: string, hint: string): Kernel =>
  ({ inputs, attributes, backend }) => {
    if (currentRecording() !== null) throw hostError(name, hint);
    const cpu = tf.findBackend("cpu");
    const kernel = tf.getKernel(name, "cpu");
    const given = Object.entries(inputs).map(([key, tensor]) => {
      const values = backend.readSync(tensor.dataId);
      return [key, { ...tensor, dataId: cpu.write(values, tensor.shape, tensor.dtype) }] as const;
    });
    const results = kernel.kernelFunc({
      inputs: Object.fromEntries(given) as unknown as tf.NamedTensorInfoMap,
      attrs: attributes as unknown as tf.NamedAttrMap,
      backend: cpu,
    });
    const infos = (Array.isArray(results) ? results : [results]) as tf.TensorInfo[];
    const outputs = infos.map((info) => {
      const values = cpu.readSync(info.dataId) as tf.TypedArray;
      return { dataId: backend.write(values, info.shape, tensorType(info.dtype)), shape: info.shape, dtype: info.dtype };
    });
    for (const { dataId } of [...infos, ...given.map(([, tensor]) => tensor)]) cpu.disposeData(dataId);
    return outputs.length === 1 ? outputs[0]! : outputs;
  };

/** Kernels that need values, by tfjs's names. */
export const hostKernels: KernelTable = Object.fromEntries(Object.entries(HINTS).map(([name, hint]) => [name, onHost(name, hint)]));
