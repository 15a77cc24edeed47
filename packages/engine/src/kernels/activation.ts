/** Bias and activation of tfjs's fused kernels. */

import { GeoLearnError } from "@geolearn/core";
import type * as tf from "@tensorflow/tfjs";
import type { KernelCall } from "./register.ts";

const ACTIVATIONS: Readonly<Record<string, string>> = {
  relu: "Relu",
  relu6: "Relu6",
  elu: "Elu",
  sigmoid: "Sigmoid",
  prelu: "Prelu",
  leakyrelu: "LeakyRelu",
};

/** Adds `bias` and applies `activation` as the call asks. Consumes `product`. */
export function withActivation({ inputs, attributes, backend }: KernelCall, product: tf.TensorInfo): tf.TensorInfo {
  let out = product;
  const next = (op: string, others: tf.TensorInfo[], settings: Readonly<Record<string, number>> = {}): void => {
    const former = out;
    out = backend.emit(op, [former, ...others], settings, former.shape, "float32");
    backend.disposeData(former.dataId);
  };
  const bias = inputs["bias"];
  if (bias !== undefined && bias !== null) next("Add", [bias]);
  const activation = (attributes["activation"] as string | undefined | null) ?? "linear";
  if (activation === "linear") return out;
  const op = ACTIVATIONS[activation];
  if (op === undefined) throw new GeoLearnError("KERNEL_MISSING", `fused kernel with activation ${activation}`, { data: { activation } });
  if (op === "Prelu") next(op, [inputs["preluActivationWeights"]!]);
  else next(op, [], op === "LeakyRelu" ? { alpha: (attributes["leakyreluAlpha"] as number | undefined) ?? 0.2 } : {});
  return out;
}
