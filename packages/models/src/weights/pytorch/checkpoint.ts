/**
 * Weights PyTorch saved (`torch.save`), as its zip (since 1.6) or as the file of several pickles before it
 * (https://docs.pytorch.org/docs/stable/notes/serialization.html). Only tensors are understood: see `pickle.ts`.
 */

import { GeoLearnError, readZip, type ZipArchive } from "@geolearn/core";
import type { HostTensor } from "@geolearn/engine";

import { ownBuffer } from "../number-types.ts";
import { namedTensors } from "./named-tensors.ts";
import { readPickle } from "./pickle.ts";
import { checkpointRules, type CheckpointValue, type Storage, type StoredTensor } from "./tensors.ts";

/** Tensors of a checkpoint. */
export interface PytorchWeights {
  /** By name, every number type as float32. */
  readonly tensors: ReadonlyMap<string, HostTensor>;
  /** Keys followed to the weights, e.g. `["state_dict"]`; empty when they were at the top. */
  readonly path: readonly string[];
}

const MAX_PICKLE_BYTES = 32 * 1024 * 1024;
/** Numbers of all tensors together, 2 GiB as float32; tensors may share their storage, so a small file could ask for more. */
const MAX_NUMBERS = 2 ** 29;
const LEGACY_MAGIC = 0x1950a86a20f9469cfc6cn;
const LEGACY_VERSION = 1001;

/** The bytes of a storage. */
type StorageBytes = (storage: Storage) => Promise<Uint8Array> | Uint8Array;

/**
 * Reads the zip `torch.save` writes.
 *
 * @throws MODEL_CORRUPT; UNSUPPORTED_FORMAT for TorchScript, big-endian files, and names or opcodes that are no part of
 * weights; LIMIT_EXCEEDED
 */
export async function parsePytorchZip(bytes: Uint8Array, name: string): Promise<PytorchWeights> {
  const archive = await readZip(bytes, { name, code: "MODEL_CORRUPT", limits: { entries: 100_000 } });
  const folder = checkpointFolder(archive);
  if (archive.has(`${folder}byteorder`)) {
    const order = Buffer.from(await archive.read(`${folder}byteorder`)).toString("latin1");
    if (order !== "little") throw bigEndian(name, order);
  }
  const pickle = await archive.read(`${folder}data.pkl`);
  if (pickle.byteLength > MAX_PICKLE_BYTES) {
    throw new GeoLearnError("LIMIT_EXCEEDED", `${name} has a pickle of ${pickle.byteLength} bytes; at most ${MAX_PICKLE_BYTES} are read.`, {
      hint: "Save only the weights.",
    });
  }
  const { value } = readPickle(pickle, 0, checkpointRules(name, new Map()), name);
  return tensorsFrom(value, name, async (storage) => {
    const entry = `${folder}data/${storage.key}`;
    if (!archive.has(entry)) throw corrupt(name, `holds no "${entry.slice(0, 100)}"`);
    const data = await archive.read(entry);
    checkBytes(data.byteLength, storage, name);
    return data;
  });
}

/** Reads the file of pickles `torch.save` wrote before PyTorch 1.6. @throws as {@link parsePytorchZip} */
export async function parsePytorchLegacy(bytes: Uint8Array, name: string): Promise<PytorchWeights> {
  const storages = new Map<string, Storage>();
  const rules = checkpointRules(name, storages);
  let at = 0;
  const next = (): CheckpointValue => {
    const { value, end } = readPickle(bytes, at, rules, name);
    at = end;
    return value;
  };
  if (next() !== LEGACY_MAGIC) {
    throw new GeoLearnError("UNSUPPORTED_FORMAT", `${name} is a pickle, but not one torch.save wrote.`, {
      hint: 'In Python, save the weights with torch.save(model.state_dict(), "weights.pth") or as safetensors.',
    });
  }
  if (next() !== LEGACY_VERSION) throw corrupt(name, "has another protocol version than 1001");
  const system = next();
  if (system instanceof Map && system.get("little_endian") === false) throw bigEndian(name, "big");
  const root = next();
  const keys = next();
  if (!Array.isArray(keys)) throw corrupt(name, "does not list its storages");
  const places = new Map<string, Uint8Array>();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (const key of keys) {
    const storage = typeof key === "string" ? storages.get(key) : undefined;
    if (storage === undefined)
      throw corrupt(name, `lists a storage ${typeof key === "string" ? `"${key.slice(0, 40)}" ` : ""}nobody describes`);
    if (at + 8 > bytes.byteLength) throw corrupt(name, "ends early");
    const length = view.getBigInt64(at, true);
    at += 8;
    if (length !== BigInt(storage.length))
      throw corrupt(name, `gives storage "${storage.key.slice(0, 40)}" ${length} numbers, not ${storage.length}`);
    const size = storage.length * storage.type.bytes;
    if (size > bytes.byteLength - at) throw corrupt(name, "ends early");
    places.set(storage.key, bytes.subarray(at, at + size));
    at += size;
  }
  if (at !== bytes.byteLength) throw corrupt(name, `has ${bytes.byteLength - at} bytes too many`);
  return tensorsFrom(root, name, (storage) => {
    const found = places.get(storage.key);
    if (found === undefined) throw corrupt(name, `holds no storage "${storage.key.slice(0, 40)}"`);
    return found;
  });
}

/** The one folder with the `data.pkl`, ending in `/`. */
function checkpointFolder(archive: ZipArchive): string {
  const { name, entries } = archive;
  const pickles = entries.filter((entry) => /^[^/]*\/data\.pkl$/.test(entry.name));
  const [found] = pickles;
  if (found === undefined || pickles.length > 1) {
    throw new GeoLearnError(
      "UNSUPPORTED_FORMAT",
      `${name} is a zip archive, but not one torch.save wrote: it holds ${describe(entries)}.`,
      {
        hint: entries.some((entry) => /\.emd$/i.test(entry.name))
          ? "It is a model package: start from it with `pretrained`."
          : "Give safetensors, a PyTorch state dict (.pth, .pt), or a model.json of TensorFlow.js.",
      },
    );
  }
  const folder = found.name.slice(0, -"data.pkl".length);
  if (archive.has(`${folder}constants.pkl`)) {
    throw new GeoLearnError("UNSUPPORTED_FORMAT", `${name} is a TorchScript archive: a program with its weights.`, {
      hint: `In Python, save the weights alone: torch.save(torch.jit.load("${name.split(/[\\/]/).at(-1)}").state_dict(), "weights.pth").`,
    });
  }
  return folder;
}

function describe(entries: ZipArchive["entries"]): string {
  if (entries.length === 0) return "nothing";
  const names = entries.slice(0, 4).map((entry) => entry.name.slice(0, 60));
  return `${names.join(", ")}${entries.length > names.length ? ` and ${entries.length - names.length} more` : ""}`;
}

async function tensorsFrom(root: CheckpointValue, name: string, bytesOf: StorageBytes): Promise<PytorchWeights> {
  const { tensors: stored, path } = namedTensors(root, name);
  let total = 0;
  for (const { count } of stored.values()) total += count;
  if (total > MAX_NUMBERS) {
    throw new GeoLearnError("LIMIT_EXCEEDED", `${name} describes ${total} numbers; at most ${MAX_NUMBERS} are read.`, {
      hint: "Save only the layers that are needed.",
    });
  }
  const known = new Map<string, Uint8Array>();
  const tensors = new Map<string, HostTensor>();
  for (const [key, tensor] of stored) {
    const { storage } = tensor;
    const bytes = known.get(storage.key) ?? (await bytesOf(storage));
    known.set(storage.key, bytes);
    tensors.set(key, { data: storage.type.decode(bytesInOrder(tensor, bytes)), shape: tensor.shape, dtype: "float32" });
  }
  return { tensors, path };
}

/** The tensor's bytes, row-major, out of its storage's. */
function bytesInOrder({ storage, offset, shape, strides, count }: StoredTensor, bytes: Uint8Array): ArrayBuffer {
  const size = storage.type.bytes;
  if (isContiguous(shape, strides)) return ownBuffer(bytes.subarray(offset * size, (offset + count) * size));
  const result = new Uint8Array(count * size);
  const index = shape.map(() => 0);
  let from = offset;
  for (let to = 0; to < count; to++) {
    for (let b = 0; b < size; b++) result[to * size + b] = bytes[from * size + b]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      from -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return result.buffer;
}

function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false;
    expected *= shape[axis]!;
  }
  return true;
}

function checkBytes(bytes: number, { key, type, length }: Storage, name: string): void {
  if (bytes !== length * type.bytes)
    throw corrupt(name, `gives storage "${key.slice(0, 40)}" ${bytes} bytes, its ${length} numbers need ${length * type.bytes}`);
}

function bigEndian(name: string, order: string): GeoLearnError {
  return new GeoLearnError(
    "UNSUPPORTED_FORMAT",
    `${name} was written on a machine of byte order ${JSON.stringify(order.slice(0, 20))}; little-endian files are read.`,
    {
      hint: "Load it with PyTorch and save it as safetensors, which have one byte order.",
    },
  );
}

function corrupt(name: string, what: string): GeoLearnError {
  return new GeoLearnError("MODEL_CORRUPT", `${name} ${what}.`, { hint: "Copy or save the weight file again." });
}
