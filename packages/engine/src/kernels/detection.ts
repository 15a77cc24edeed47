/** Non-maximum suppression. An overlap exactly at the limit is kept, as TensorFlow and torchvision do. */

import * as tf from "@tensorflow/tfjs";
import { currentRecording } from "../graph/recording.ts";
import { hostError } from "./host.ts";
import type { KernelCall, KernelTable } from "./register.ts";

/** Indices padded to `maxOutputSize` with zeros, and how many count. */
function padded({ inputs, attributes, backend }: KernelCall): [tf.TensorInfo, tf.TensorInfo] {
  const { maxOutputSize, iouThreshold, scoreThreshold } = attributes as Record<"maxOutputSize" | "iouThreshold" | "scoreThreshold", number>;
  const given = [inputs["boxes"]!, inputs["scores"]!];
  const settings = { max: maxOutputSize, iou: iouThreshold, score: Number.isFinite(scoreThreshold) ? scoreThreshold : -3.4e38 };
  return [backend.emit("NmsIndices", given, settings, [maxOutputSize], "int32"), backend.emit("NmsCount", given, settings, [], "int32")];
}

/** As many as there are: their number must be read, so this cannot be recorded. */
function cut(call: KernelCall, name: string): tf.TensorInfo {
  if (currentRecording() !== null)
    throw hostError(name, "Use tf.image.nonMaxSuppressionPadded(..., padToMaxOutputSize = true), whose shape is known.");
  const { backend } = call;
  const [indices, count] = padded(call);
  const [kept] = backend.readSync(count.dataId) as Int32Array;
  const out = backend.emit("Slice", [indices], { begin: [0], size: [kept!] }, [kept!], "int32");
  for (const part of [indices, count]) backend.disposeData(part.dataId);
  return out;
}

function nonMaxSuppressionV4(call: KernelCall): tf.TensorInfo[] {
  if (call.attributes["padToMaxOutputSize"] === true) return padded(call);
  const indices = cut(call, "NonMaxSuppressionV4");
  return [indices, call.backend.emit("Fill", [], { value: indices.shape[0]! }, [], "int32")];
}

/** Soft suppression lowers scores one after another: tfjs's loop, on values. */
function nonMaxSuppressionV5({ inputs, attributes, backend }: KernelCall): tf.TensorInfo[] {
  if (currentRecording() !== null)
    throw hostError("NonMaxSuppressionV5", "Use tf.image.nonMaxSuppressionPadded, or suppress after the run, on values.");
  const { maxOutputSize, iouThreshold, scoreThreshold, softNmsSigma } = attributes as Record<string, number>;
  const boxes = backend.readSync(inputs["boxes"]!.dataId) as Float32Array;
  const scores = backend.readSync(inputs["scores"]!.dataId) as Float32Array;
  const found = tf.kernel_impls.nonMaxSuppressionV5Impl(boxes, scores, maxOutputSize!, iouThreshold!, scoreThreshold!, softNmsSigma!);
  const { selectedIndices, selectedScores } = found;
  const shape = [selectedIndices.length];
  return [
    { dataId: backend.write(Int32Array.from(selectedIndices), shape, "int32"), shape, dtype: "int32" },
    { dataId: backend.write(Float32Array.from(selectedScores!), shape, "float32"), shape, dtype: "float32" },
  ];
}

/** Kernels of non-maximum suppression by tfjs's names. */
export const detectionKernels: KernelTable = {
  NonMaxSuppressionV3: (call) => cut(call, "NonMaxSuppressionV3"),
  NonMaxSuppressionV4: nonMaxSuppressionV4,
  NonMaxSuppressionV5: nonMaxSuppressionV5,
};
