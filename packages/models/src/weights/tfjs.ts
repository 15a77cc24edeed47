/**
 * Weights of a Keras or TensorFlow model as `model.json` with binary shards beside it, which `tensorflowjs_converter`
 * and `model.save` of TensorFlow.js write. Only the weights manifest is read; the topology is left alone.
 */

import { readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";

import { GeoLearnError } from "@geolearn/core";
import type { HostTensor } from "@geolearn/engine";

import { sizeOf } from "../network/parameter-spec.ts";
import { NUMBER_TYPES, type NumberType, ownBuffer } from "./number-types.ts";

/** All shards together, and also all numbers as float32. */
const MAX_BYTES = 2 ** 31 - 1;
const MAX_TENSORS = 100_000;
const MAX_RANK = 8;

/** One tensor of the manifest. */
interface ManifestEntry {
  readonly name: string;
  readonly shape: readonly number[];
  /** How its bytes are stored. */
  readonly stored: NumberType;
  /** From stored numbers to values, for quantized weights. */
  readonly restore: ((value: number) => number) | null;
}

/** Tensors whose bytes lie one behind the other in the shards of the group. */
interface Group {
  readonly paths: readonly string[];
  readonly entries: readonly ManifestEntry[];
}

const STORED: ReadonlyMap<unknown, NumberType> = new Map<unknown, NumberType>([
  ["float32", NUMBER_TYPES.F32],
  ["int32", NUMBER_TYPES.I32],
  ["uint8", NUMBER_TYPES.U8],
  ["uint16", NUMBER_TYPES.U16],
  ["float16", NUMBER_TYPES.F16],
  ["bool", NUMBER_TYPES.BOOL],
]);

/** Whether parsed JSON is a model of TensorFlow.js. */
export function isTfjsModel(json: unknown): boolean {
  return Array.isArray((json as { weightsManifest?: unknown } | null)?.weightsManifest);
}

/**
 * Reads the shards a parsed `model.json` at `path` names, from its own folder. Quantized weights (uint8, uint16,
 * float16) are restored; every type becomes float32. Names and shapes are the file's: kernels of convolutions are
 * `[height, width, in, out]`.
 *
 * @throws MODEL_CORRUPT for a manifest that contradicts itself or its shards, UNSUPPORTED_FORMAT for a number type that
 * is not known, FILE_NOT_FOUND for a missing shard, LIMIT_EXCEEDED
 */
export async function readTfjsWeights(json: unknown, path: string): Promise<Map<string, HostTensor>> {
  const groups = manifestGroups(json, path);
  refuseTooMuch(groups, path);
  const folder = dirname(path);
  const tensors = new Map<string, HostTensor>();
  let left = MAX_BYTES;
  for (const { paths, entries } of groups) {
    const shards: Uint8Array[] = [];
    for (const shard of paths) {
      const bytes = await readShard(join(folder, shard), left, path);
      left -= bytes.byteLength;
      shards.push(bytes);
    }
    const bytes = shards.length === 1 ? shards[0]! : Buffer.concat(shards);
    let at = 0;
    for (const entry of entries) {
      const end = at + sizeOf(entry.shape) * entry.stored.bytes;
      if (end > bytes.byteLength)
        throw corrupt(
          path,
          `needs ${end} bytes for "${clip(entry.name)}", its shards ${paths.join(", ").slice(0, 200)} have ${bytes.byteLength}`,
        );
      if (tensors.has(entry.name)) throw corrupt(path, `lists "${clip(entry.name)}" twice`);
      const values = entry.stored.decode(ownBuffer(bytes.subarray(at, end)));
      const { restore } = entry;
      tensors.set(entry.name, { data: restore === null ? values : values.map(restore), shape: entry.shape, dtype: "float32" });
      at = end;
    }
    if (at !== bytes.byteLength)
      throw corrupt(path, `describes ${at} bytes of its shards ${paths.join(", ").slice(0, 200)}, which have ${bytes.byteLength}`);
  }
  return tensors;
}

function manifestGroups(json: unknown, path: string): Group[] {
  const manifest = (json as { weightsManifest: unknown[] }).weightsManifest;
  let count = 0;
  return manifest.map((group) => {
    const { paths, weights } = (group ?? {}) as Record<string, unknown>;
    if (!Array.isArray(paths) || !Array.isArray(weights)) throw corrupt(path, "has a group without paths or weights in its manifest");
    count += paths.length + weights.length;
    if (count > MAX_TENSORS) {
      throw new GeoLearnError("LIMIT_EXCEEDED", `${path} lists more than ${MAX_TENSORS} weights and shards.`, {
        hint: "The file is not a model.",
      });
    }
    for (const shard of paths as unknown[]) checkShardName(shard, path);
    return { paths: paths as string[], entries: weights.map((weight) => manifestEntry(weight, path)) };
  });
}

/** Shards lie beside the model or below it. */
function checkShardName(shard: unknown, path: string): void {
  const sound =
    typeof shard === "string" &&
    shard.length <= 500 &&
    // oxlint-disable-next-line no-control-regex
    !/[\u0000-\u001f\\:]/.test(shard) &&
    shard.split("/").every((part) => part !== "" && part !== "." && part !== "..");
  if (!sound) throw corrupt(path, `names a shard ${JSON.stringify(shard)?.slice(0, 100)}, which is no file beside it`);
}

function manifestEntry(value: unknown, path: string): ManifestEntry {
  const { name, shape, dtype, quantization } = (value ?? {}) as Record<string, unknown>;
  if (typeof name !== "string" || name === "") throw corrupt(path, "lists a weight without a name");
  const what = `"${clip(name)}"`;
  const sound = Array.isArray(shape) && shape.length <= MAX_RANK && shape.every((side) => Number.isSafeInteger(side) && side >= 0);
  if (!sound) throw corrupt(path, `gives ${what} no sound shape`);
  const own = STORED.get(dtype);
  if (own === undefined) throw unknownType(path, what, dtype);
  if (quantization === undefined) return { name, shape: shape as number[], stored: own, restore: null };
  const { dtype: storedAs, scale, min } = (quantization ?? {}) as Record<string, unknown>;
  if (storedAs === "float16") return { name, shape: shape as number[], stored: NUMBER_TYPES.F16, restore: null };
  if (storedAs !== "uint8" && storedAs !== "uint16") throw unknownType(path, what, storedAs);
  if (typeof scale !== "number" || typeof min !== "number") throw corrupt(path, `gives ${what} no scale and least value`);
  const whole = dtype === "int32";
  const restore = (v: number): number => (whole ? Math.round(v * scale + min) : v * scale + min);
  return { name, shape: shape as number[], stored: STORED.get(storedAs)!, restore };
}

function refuseTooMuch(groups: readonly Group[], path: string): void {
  let numbers = 0;
  for (const { entries } of groups) for (const { shape } of entries) numbers += sizeOf(shape);
  if (4 * numbers > MAX_BYTES) throw tooMuch(path, `describes ${numbers} numbers`);
}

async function readShard(file: string, left: number, path: string): Promise<Uint8Array> {
  try {
    const { size } = await stat(file);
    if (size > left) throw tooMuch(path, "names shards of 2 GiB and more");
    return await readFile(file);
  } catch (cause) {
    if (GeoLearnError.is(cause)) throw cause;
    throw new GeoLearnError("FILE_NOT_FOUND", `${file}, a shard of ${path}, cannot be read.`, {
      hint: "Keep the binary files beside the model.json they belong to.",
      data: { path: file },
      cause,
    });
  }
}

function unknownType(path: string, what: string, dtype: unknown): GeoLearnError {
  return new GeoLearnError(
    "UNSUPPORTED_FORMAT",
    `${path}: ${what} has number type ${clip(String(dtype))}; known are ${[...STORED.keys()].join(", ")}.`,
    {
      hint: "Convert the model with float32 weights, or quantized to uint8, uint16 or float16.",
    },
  );
}

function tooMuch(path: string, what: string): GeoLearnError {
  return new GeoLearnError("LIMIT_EXCEEDED", `${path} ${what}; less than 2 GiB of weights are read.`, {
    hint: "Save only the layers that are needed.",
  });
}

function corrupt(path: string, what: string): GeoLearnError {
  return new GeoLearnError("MODEL_CORRUPT", `${path} ${what}.`, { hint: "Copy or convert the model again, with all its binary files." });
}

function clip(text: string): string {
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
