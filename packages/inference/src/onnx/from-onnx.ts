/** An ONNX file of anyone as an inference function. */

import { checkOptions, type OptionRules } from "@geolearn/core";
import type { ReadOnnxOptions } from "@geolearn/engine";
import { type OnnxSpec, openOnnx } from "@geolearn/models";

import { pixelClassifier } from "../classify/pixel-classifier.ts";
import type { InferenceFunction } from "../inference-function.ts";
import { COMPUTE_RULES, type ComputeOptions } from "../lanes/model-lanes.ts";
import { READ_ONNX_RULES } from "./onnx-function.ts";

const RULES: OptionRules<ComputeOptions & ReadOnnxOptions> = { ...COMPUTE_RULES, ...READ_ONNX_RULES };

/**
 * A segmentation network from PyTorch, TensorFlow or anything else that writes ONNX, ready for `classifyPixels`. What the spec leaves out is taken
 * from geolearn's description in the file, from the keys of QGIS Deepness, or found in the graph. The file is judged before it is run.
 *
 * @throws what `openOnnx` throws; TASK_MISMATCH when the network is made for another task than pixelClassification
 * @example
 * const landCover = await fromOnnx("landcover.onnx", { task: "pixelClassification", classes: ["other", "forest"], normalization: { scale: 1 / 255 } });
 * const map = await classifyPixels(landCover, "scene.tif", { out: "map.tif" });
 * await landCover.dispose();
 */
export async function fromOnnx(
  source: string | Uint8Array,
  spec: OnnxSpec = {},
  options: ComputeOptions & ReadOnnxOptions = {},
): Promise<InferenceFunction> {
  checkOptions(options, RULES, "fromOnnx()");
  const { externalData, ...compute } = options;
  return pixelClassifier(await openOnnx(source, spec, externalData === undefined ? {} : { externalData }), compute);
}
