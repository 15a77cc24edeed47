/** safetensors files by path. */

import { readFile, stat } from "node:fs/promises";

import { GeoLearnError, writeAtomic } from "@geolearn/core";
import type { HostTensor } from "@geolearn/engine";

import { type Safetensors, type WriteSafetensorsOptions, encodeSafetensors, parseSafetensors } from "./safetensors.ts";

/** Largest file read into memory, which is also the most Node reads at once. */
const MAX_FILE_BYTES = 2 ** 31 - 1;

/**
 * Reads a safetensors file. F64, F32, F16, BF16, integers and booleans all become float32 (integers above 2^24 are
 * rounded).
 *
 * @throws FILE_NOT_FOUND; MODEL_CORRUPT for a file that contradicts itself; UNSUPPORTED_FORMAT for a number type that
 * is not known; LIMIT_EXCEEDED for a header above 16 MiB or a file of 2 GiB or more.
 *
 * @example
 * const { tensors } = await readSafetensors("resnet18.safetensors");
 * tensors.get("conv1.weight")?.shape; // [64, 3, 7, 7]
 */
export async function readSafetensors(path: string): Promise<Safetensors> {
  let bytes: Uint8Array;
  try {
    const { size } = await stat(path);
    if (size > MAX_FILE_BYTES) throw tooLarge(path, size);
    bytes = await readFile(path);
  } catch (cause) {
    if (GeoLearnError.is(cause)) throw cause;
    const reason = cause instanceof Error && "code" in cause && cause.code !== "ENOENT" ? ` (${String(cause.code)})` : "";
    throw new GeoLearnError("FILE_NOT_FOUND", `The weight file ${path} cannot be read${reason}.`, {
      hint: "Give the path of a .safetensors file.",
      data: { path },
      cause,
    });
  }
  return parseSafetensors(bytes, path);
}

/**
 * Writes tensors as float32, whole or not at all. The same tensors in the same order give the same bytes.
 *
 * @throws INVALID_ARGUMENT for a tensor whose shape and values disagree; WRITE_FAILED or DISK_FULL.
 */
export async function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, HostTensor>,
  options: WriteSafetensorsOptions = {},
): Promise<void> {
  await writeAtomic(path, encodeSafetensors(tensors, options));
}

function tooLarge(path: string, size: number): GeoLearnError {
  return new GeoLearnError("LIMIT_EXCEEDED", `${path} has ${size} bytes; at most ${MAX_FILE_BYTES} are read.`, {
    hint: "Save only the layers that are needed.",
    data: { path, size },
  });
}
