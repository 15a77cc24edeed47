/**
 * safetensors files (https://huggingface.co/docs/safetensors): a header length, a JSON header, raw numbers. Nothing in
 * them can be executed, which is why weights are kept this way. Files of strangers are judged before a value is read:
 * the header's size, every offset, every shape; gaps and overlaps are refused, as the reference implementation does.
 */

import { GeoLearnError } from "@geolearn/core";
import type { HostTensor } from "@geolearn/engine";

import { parseJson } from "../package/json.ts";
import { NUMBER_TYPES, type NumberType, ownBuffer } from "./number-types.ts";

/** What a safetensors file holds. */
export interface Safetensors {
  /** Tensors by name, in the order of their bytes; every number type is read as float32. */
  readonly tensors: ReadonlyMap<string, HostTensor>;
  /** The file's free text, e.g. `{ format: "pt" }`. */
  readonly metadata: ReadonlyMap<string, string>;
}

/** Largest header read; the format itself allows 100 MB, a network of ten thousand tensors needs 2 MB. */
const MAX_HEADER_BYTES = 16 * 1024 * 1024;
const MAX_RANK = 8;

const DECODERS: ReadonlyMap<string, NumberType> = new Map<string, NumberType>(Object.entries(NUMBER_TYPES));

/** Reads the bytes of a safetensors file, as `readSafetensors` does; `name` is used in messages. */
export function parseSafetensors(bytes: Uint8Array, name = "the weights"): Safetensors {
  const { header, dataStart } = readHeader(bytes, name);
  const metadata = new Map<string, string>();
  const entries: TensorEntry[] = [];
  for (const [key, value] of Object.entries(header)) {
    if (key === "__metadata__") readMetadata(value, metadata, name);
    else entries.push(readEntry(key, value, name));
  }
  entries.sort((a, b) => a.start - b.start || a.end - b.end);
  refuseGaps(entries, bytes.byteLength - dataStart, name);
  const tensors = new Map<string, HostTensor>();
  for (const entry of entries) {
    const raw = ownBuffer(bytes.subarray(dataStart + entry.start, dataStart + entry.end));
    tensors.set(entry.name, { data: entry.decoder.decode(raw), shape: entry.shape, dtype: "float32" });
  }
  return { tensors, metadata };
}

/** Options of `writeSafetensors`. */
export interface WriteSafetensorsOptions {
  /** Free text for the header. @defaultValue `{ format: "pt" }`, which PyTorch's readers look for */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** The bytes `writeSafetensors` writes. */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, HostTensor>,
  { metadata = { format: "pt" } }: WriteSafetensorsOptions = {},
): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let end = 0;
  for (const [name, tensor] of tensors) {
    const count = tensor.shape.reduce((product, side) => product * side, 1);
    if (count !== tensor.data.length || name === "__metadata__" || name === "__proto__") {
      throw new GeoLearnError(
        "INVALID_ARGUMENT",
        `Tensor "${name}" of shape [${tensor.shape.join(", ")}] has ${tensor.data.length} values, expected ${count}.`,
        {
          hint: "Give each tensor a plain name and as many values as its shape has.",
          data: { name, shape: tensor.shape },
        },
      );
    }
    header[name] = { dtype: "F32", shape: tensor.shape, data_offsets: [end, end + 4 * count] };
    end += 4 * count;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  // Spaces behind the header keep the numbers aligned to 8 bytes for readers that map the file.
  const headerBytes = Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(8 + headerBytes + end);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerBytes), true);
  bytes.set(text, 8);
  bytes.fill(0x20, 8 + text.length, 8 + headerBytes);
  let at = 8 + headerBytes;
  for (const tensor of tensors.values()) {
    const floats = tensor.data instanceof Float32Array ? tensor.data : Float32Array.from(tensor.data);
    bytes.set(new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength), at);
    at += floats.byteLength;
  }
  return bytes;
}

interface TensorEntry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly start: number;
  readonly end: number;
  readonly decoder: NumberType;
}

function readHeader(bytes: Uint8Array, name: string): { header: Record<string, unknown>; dataStart: number } {
  if (bytes.byteLength < 10) throw corrupt(name, `has ${bytes.byteLength} bytes, fewer than the smallest safetensors file`);
  const declared = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  if (declared > BigInt(bytes.byteLength - 8))
    throw corrupt(name, `declares a header of ${declared} bytes, but ${bytes.byteLength - 8} follow`);
  const headerBytes = Number(declared);
  if (headerBytes > MAX_HEADER_BYTES) {
    throw new GeoLearnError("LIMIT_EXCEEDED", `${name} has a header of ${headerBytes} bytes; at most ${MAX_HEADER_BYTES} are read.`, {
      hint: "The file is probably not a weight file.",
      data: { headerBytes },
    });
  }
  if (bytes[8] !== 0x7b) throw corrupt(name, "does not begin with a safetensors header");
  const header = parseJson(bytes.subarray(8, 8 + headerBytes), `the header of ${name}`);
  if (typeof header !== "object" || header === null || Array.isArray(header)) throw corrupt(name, "has a header that is not an object");
  return { header: header as Record<string, unknown>, dataStart: 8 + headerBytes };
}

function readMetadata(value: unknown, into: Map<string, string>, name: string): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw corrupt(name, "has metadata that is not an object");
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== "string") throw corrupt(name, `has metadata "${clip(key)}" that is not text`);
    into.set(key, text);
  }
}

function readEntry(key: string, value: unknown, name: string): TensorEntry {
  const what = `tensor "${clip(key)}"`;
  if (typeof value !== "object" || value === null) throw corrupt(name, `describes ${what} by something that is not an object`);
  const { dtype, shape, data_offsets: offsets } = value as Record<string, unknown>;
  const decoder = typeof dtype === "string" ? DECODERS.get(dtype) : undefined;
  if (!decoder) {
    throw new GeoLearnError(
      "UNSUPPORTED_FORMAT",
      `${name}: ${what} has number type ${clip(String(dtype))}; known are ${[...DECODERS.keys()].join(", ")}.`,
      {
        hint: "Save the weights as float32 or float16.",
        data: { tensor: clip(key) },
      },
    );
  }
  if (!Array.isArray(shape) || shape.length > MAX_RANK || !shape.every(isCount)) throw corrupt(name, `gives ${what} no sound shape`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) throw corrupt(name, `gives ${what} no sound offsets`);
  const [start, end] = offsets as [number, number];
  const expected = (shape as number[]).reduce((product, side) => product * side, decoder.bytes);
  if (end - start !== expected)
    throw corrupt(name, `gives ${what} ${end - start} bytes, its shape [${shape.join(", ")}] needs ${expected}`);
  return { name: key, shape: shape as number[], start, end, decoder };
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function refuseGaps(entries: readonly TensorEntry[], dataBytes: number, name: string): void {
  let at = 0;
  for (const entry of entries) {
    if (entry.start !== at)
      throw corrupt(name, `places tensor "${clip(entry.name)}" at byte ${entry.start} where ${at} was due: tensors overlap or leave a gap`);
    at = entry.end;
  }
  if (at !== dataBytes) throw corrupt(name, `describes ${at} bytes of numbers but holds ${dataBytes}`);
}

function corrupt(name: string, what: string): GeoLearnError {
  return new GeoLearnError("MODEL_CORRUPT", `${name} ${what}.`, { hint: "Copy or export the weight file again." });
}

function clip(text: string): string {
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
