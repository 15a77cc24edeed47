/** Opening ONNX files: decoded, checked, and with every tensor inside. */

import { readFile, stat } from "node:fs/promises";
import { fileKind, GeoLearnError } from "@geolearn/core";
import type { HostTensor } from "../types.ts";
import type { OnnxModel } from "./decode.ts";
import { inlineExternalData } from "./external-data.ts";
import { parseOnnxModel } from "./parse.ts";

/** Options of {@link readOnnxModel} and {@link readOnnxWeights}. */
export interface ReadOnnxOptions {
  /**
   * May the model keep tensors in other files? They must then lie in its own folder (or below); everything else is refused in any case.
   * @defaultValue false
   */
  readonly externalData?: boolean;
}

/** Numbers of an ONNX file by name. */
export interface OnnxWeights {
  /** The initializers of the main graph: floats of any width as float32, whole numbers as int32, booleans as bool. */
  readonly tensors: ReadonlyMap<string, HostTensor>;
  /** The file's `metadata_props`. */
  readonly metadata: ReadonlyMap<string, string>;
}

const MAX_FILE_BYTES = 2 ** 31 - 1;

/**
 * Reads an ONNX model made by anyone, from a path or from bytes. The whole file is judged before ONNX Runtime sees it: truncated or
 * contradicting messages, circles, absurd shapes and nesting, tensors in files elsewhere.
 *
 * @throws FILE_NOT_FOUND, MODEL_CORRUPT, LIMIT_EXCEEDED, UNSUPPORTED_FORMAT (also for weights of PyTorch); MODEL_EXTERNAL_DATA when tensors lie in other files and
 * `externalData` does not allow it
 * @example
 * const { graph, opsets, metadata } = await readOnnxModel("buildings.onnx");
 * graph.inputs[0]?.dims; // ["batch", 3, "height", "width"]
 */
export async function readOnnxModel(source: string | Uint8Array, { externalData = false }: ReadOnnxOptions = {}): Promise<OnnxModel> {
  const name = typeof source === "string" ? source : "the ONNX model";
  const bytes = typeof source === "string" ? await readWhole(source) : source;
  if (fileKind(bytes.subarray(0, 512), name) === "weights") {
    throw new GeoLearnError("UNSUPPORTED_FORMAT", `${name} is a PyTorch weight file, not an ONNX model.`, {
      hint: "Weights start a training: `geolearn train --weights FILE`, in TypeScript `createLearner(data, { weights })`. A whole model comes through ONNX: torch.onnx.export in PyTorch.",
    });
  }
  const model = parseOnnxModel(bytes, name);
  const outside = model.graph.initializers.filter((tensor) => tensor.external !== null);
  if (outside.length === 0) return model;
  if (!externalData || typeof source !== "string") {
    throw new GeoLearnError("MODEL_EXTERNAL_DATA", `${name} keeps ${outside.length} of its tensors in other files.`, {
      hint:
        typeof source === "string"
          ? "Pass `externalData: true` to read them from the model's own folder, or export the network into one file."
          : "Give the path of the model instead of its bytes, with `externalData: true`.",
      data: { tensors: outside.length },
    });
  }
  return parseOnnxModel(await inlineExternalData(model, source), name);
}

/**
 * The initializers of an ONNX model as named tensors, e.g. to start a network from. Names and the order of axes are the exporter's:
 * PyTorch keeps its parameter names and `[out, in, height, width]`, but folds batch norm into convolutions unless told
 * otherwise (`do_constant_folding=False`, `training=TrainingMode.PRESERVE`).
 *
 * @throws what {@link readOnnxModel} throws
 * @example
 * const { tensors } = await readOnnxWeights("resnet18.onnx");
 * tensors.get("conv1.weight")?.shape; // [64, 3, 7, 7]
 */
export async function readOnnxWeights(source: string | Uint8Array, options: ReadOnnxOptions = {}): Promise<OnnxWeights> {
  const { graph, metadata } = await readOnnxModel(source, options);
  return { tensors: new Map(graph.initializers.map((tensor) => [tensor.name, tensor.read()])), metadata };
}

async function readWhole(path: string): Promise<Uint8Array> {
  try {
    const { size } = await stat(path);
    if (size > MAX_FILE_BYTES) {
      throw new GeoLearnError("LIMIT_EXCEEDED", `${path} has ${size} bytes; an ONNX file has at most ${MAX_FILE_BYTES}.`, {
        hint: "Export the network with its weights in half precision.",
      });
    }
    const buffer = await readFile(path);
    return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
  } catch (cause) {
    if (GeoLearnError.is(cause)) throw cause;
    const reason = cause instanceof Error && "code" in cause && cause.code !== "ENOENT" ? ` (${String(cause.code)})` : "";
    throw new GeoLearnError("FILE_NOT_FOUND", `The ONNX file ${path} cannot be read${reason}.`, {
      hint: "Give the path of an .onnx file.",
      data: { path },
      cause,
    });
  }
}
