/** Weights out of a file, whatever wrote it. The content decides, not the name. */

import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";

import { GeoLearnError } from "@geolearn/core";
import { type HostTensor, readOnnxWeights } from "@geolearn/engine";

import { parseJson } from "../package/json.ts";
import { locateWeights, type ReadWeightsOptions } from "./locate.ts";
import { parsePytorchLegacy, parsePytorchZip } from "./pytorch/checkpoint.ts";
import { parseSafetensors } from "./safetensors.ts";
import { isTfjsModel, readTfjsWeights } from "./tfjs.ts";

/** Who wrote a weight file: `"tfjs"` is a `model.json` with shards, of Keras or TensorFlow.js. */
export type WeightFormat = "safetensors" | "pytorch" | "onnx" | "tfjs";

/** What a weight file holds. */
export interface WeightFile {
  /** Path it was read from; for messages. */
  readonly source: string;
  readonly format: WeightFormat;
  /** Tensors by the file's own names and in its own layouts, every number type as float32. */
  readonly tensors: ReadonlyMap<string, HostTensor>;
  /** Keys under which a PyTorch checkpoint keeps its weights, e.g. `["state_dict"]`; else empty. */
  readonly path: readonly string[];
}

/** The most Node reads at once. */
const MAX_FILE_BYTES = 2 ** 31 - 1;

/**
 * Reads tensors from safetensors, from a PyTorch checkpoint (`.pth`, `.pt`: state dicts, also inside a training
 * checkpoint), from the initializers of an ONNX model (also those it keeps in files beside it), or from a `model.json` with
 * its shards (Keras 2 through `tensorflowjs_converter`, TensorFlow.js; the folder will do). Nothing in a file is executed: what is not plain tensors is refused by its name.
 *
 * An address such as `https://example.org/resnet18.pth#sha256=...` is fetched once into the cache and checked; without a
 * checksum it is refused.
 *
 * @throws FILE_NOT_FOUND; MODEL_CORRUPT for a file that contradicts itself; UNSUPPORTED_FORMAT, with the way out, for
 * one of another kind (TorchScript, `.h5`, a model package, code in a pickle); LIMIT_EXCEEDED for 2 GiB or more;
 * INVALID_ARGUMENT for an address without a checksum, CHECKSUM_MISMATCH, NETWORK_FAILED, NETWORK_NOT_ALLOWED
 *
 * @example
 * const { format, tensors } = await readWeights("resnet18-f37072fd.pth");
 * tensors.get("layer1.0.conv1.weight")?.shape; // [64, 64, 3, 3]
 */
export async function readWeights(source: string, options: ReadWeightsOptions = {}): Promise<WeightFile> {
  const { bytes, name } = await readWhole(await locateWeights(source, options));
  switch (kindOf(bytes)) {
    case "safetensors":
      return { source: name, format: "safetensors", tensors: parseSafetensors(bytes, name).tensors, path: [] };
    case "zip":
      return { source: name, format: "pytorch", ...(await parsePytorchZip(bytes, name)) };
    case "pickle":
      return { source: name, format: "pytorch", ...(await parsePytorchLegacy(bytes, name)) };
    case "onnx":
      return { source: name, format: "onnx", tensors: await onnxTensors(name), path: [] };
    case "json": {
      const json = parseJson(bytes, name);
      if (!isTfjsModel(json)) throw notWeights(name, "is JSON without a weights manifest");
      return { source: name, format: "tfjs", tensors: await readTfjsWeights(json, name), path: [] };
    }
    case "hdf5":
      throw notWeights(
        name,
        "is HDF5, as Keras saves models",
        "Convert it: tensorflowjs_converter --input_format keras model.h5 folder, and give folder/model.json.",
      );
    case "tar":
      throw notWeights(
        name,
        "is a tar archive, as PyTorch before 0.1.10 saved",
        'Load it with PyTorch and save it again: torch.save(torch.load("old.pth"), "new.pth").',
      );
    default:
      throw notWeights(name, "is no weight file that is known");
  }
}

/** Numbers of any type as float32. The whole file is read again, to find the files beside it. */
async function onnxTensors(name: string): Promise<Map<string, HostTensor>> {
  const { tensors } = await readOnnxWeights(name, { externalData: true });
  const floats = ([key, { data, shape }]: [string, HostTensor]): [string, HostTensor] => [
    key,
    { data: data instanceof Float32Array ? data : Float32Array.from(data), shape, dtype: "float32" },
  ];
  return new Map([...tensors].map(floats));
}

type Kind = "safetensors" | "zip" | "pickle" | "onnx" | "json" | "hdf5" | "tar" | "unknown";

function kindOf(bytes: Uint8Array): Kind {
  const starts = (...values: number[]): boolean => values.every((value, i) => bytes[i] === value);
  // A header's length, then the header: eight characters of JSON would be a length beyond any file.
  if (bytes.byteLength >= 10 && bytes[8] === 0x7b) {
    const length = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
    if (length <= BigInt(bytes.byteLength - 8)) return "safetensors";
  }
  if (starts(0x50, 0x4b)) return "zip";
  if (starts(0x80) && bytes[1]! >= 2 && bytes[1]! <= 5) return "pickle";
  if (starts(0x89, 0x48, 0x44, 0x46)) return "hdf5";
  if (/^(\ufeff|ï»¿)?\s*\{/.test(Buffer.from(bytes.subarray(0, 64)).toString("latin1"))) return "json";
  if (Buffer.from(bytes.subarray(257, 262)).toString("latin1") === "ustar") return "tar";
  if (bytes[8] === 0x7b) return "safetensors";
  // The version of the format, which every writer puts first: field 1, a number.
  return starts(0x08) && bytes[1]! >= 1 && bytes[1]! < 0x80 ? "onnx" : "unknown";
}

/** The bytes of a file, or of the `model.json` in a folder. */
async function readWhole(path: string): Promise<{ bytes: Uint8Array; name: string }> {
  let name = path;
  try {
    if ((await stat(path)).isDirectory()) name = join(path, "model.json");
    const { size } = await stat(name);
    if (size > MAX_FILE_BYTES) {
      throw new GeoLearnError("LIMIT_EXCEEDED", `${name} has ${size} bytes; at most ${MAX_FILE_BYTES} are read.`, {
        hint: "Save only the layers that are needed.",
        data: { path: name, size },
      });
    }
    return { bytes: await readFile(name), name };
  } catch (cause) {
    if (GeoLearnError.is(cause)) throw cause;
    const reason = cause instanceof Error && "code" in cause && cause.code !== "ENOENT" ? ` (${String(cause.code)})` : "";
    throw new GeoLearnError("FILE_NOT_FOUND", `The weight file ${name} cannot be read${reason}.`, {
      hint: "Give a .safetensors, .pth, .pt or .onnx file, or a model.json with its shards.",
      data: { path: name },
      cause,
    });
  }
}

function notWeights(
  name: string,
  what: string,
  hint = "Give safetensors, a PyTorch state dict (.pth, .pt), an ONNX model, or a model.json of TensorFlow.js.",
): GeoLearnError {
  return new GeoLearnError("UNSUPPORTED_FORMAT", `${name} ${what}.`, { hint });
}
