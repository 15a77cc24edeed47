/** ONNX models from memory: decoded and checked. */

import { checkModel } from "./check.ts";
import { type OnnxModel, decodeModel } from "./decode.ts";

/**
 * Reads an ONNX model made by anyone from bytes in memory, as `readOnnxModel` does from a path; tensors in other files are left as they are and
 * cannot be read.
 *
 * @throws MODEL_CORRUPT, LIMIT_EXCEEDED, UNSUPPORTED_FORMAT
 * @example
 * const { graph } = parseOnnxModel(bytes, "net.onnx");
 */
export function parseOnnxModel(bytes: Uint8Array, name = "the ONNX model"): OnnxModel {
  const model = decodeModel(bytes, name);
  checkModel(model);
  return model;
}
