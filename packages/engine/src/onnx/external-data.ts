/** Tensors that lie in other files: found only in the model's own folder, and brought into the model. */

import { type FileHandle, open, realpath, stat } from "node:fs/promises";
import { dirname, join, sep } from "node:path";
import { GeoLearnError } from "@geolearn/core";
import type { OnnxModel } from "./decode.ts";
import { MessageWriter } from "./encode.ts";
import { type OnnxTensor, parseTensor } from "./tensor.ts";
import { MessageReader, clip, corrupt } from "./wire.ts";

const MAX_FILE_BYTES = 2 ** 31 - 1;

/**
 * The bytes of the model with all initializers inside. Locations must be plain relative paths whose file, links followed, lies in the model's
 * folder or below.
 *
 * @throws MODEL_CORRUPT for a location that leaves the folder or numbers that are not there, LIMIT_EXCEEDED
 */
export async function inlineExternalData(model: OnnxModel, path: string): Promise<Uint8Array> {
  const folder = await realpath(dirname(path));
  const files = new Map<string, FileHandle>();
  let total = model.bytes.length;
  try {
    const numbers = new Map<string, Uint8Array>();
    for (const tensor of model.graph.initializers) {
      if (tensor.external === null) continue;
      const { location } = tensor.external;
      const file = files.get(location) ?? (await openInside(folder, location, tensor.name, model.source));
      files.set(location, file);
      const bytes = await readNumbers(file, tensor, model.source);
      total += bytes.length;
      if (total > MAX_FILE_BYTES) {
        throw new GeoLearnError(
          "LIMIT_EXCEEDED",
          `${model.source} has more than ${MAX_FILE_BYTES} bytes with the tensors of its other files.`,
          {
            hint: "Export the network with its weights in half precision.",
          },
        );
      }
      numbers.set(tensor.name, bytes);
    }
    return withNumbers(model, numbers);
  } finally {
    for (const file of files.values()) await file.close();
  }
}

async function openInside(folder: string, location: string, name: string, source: string): Promise<FileHandle> {
  const plain = location !== "" && !/[\\:\0]|^\/|(^|\/)\.\.(\/|$)/.test(location);
  if (!plain) throw corrupt(source, `says tensor "${clip(name)}" lies in "${clip(location)}", which is no file of its folder`);
  let real: string;
  try {
    real = await realpath(join(folder, location));
  } catch (cause) {
    throw new GeoLearnError("FILE_NOT_FOUND", `${source} needs "${clip(location)}" beside it, which cannot be read.`, {
      hint: "Copy the model together with its other files.",
      cause,
    });
  }
  if (!real.startsWith(folder.endsWith(sep) ? folder : folder + sep))
    throw corrupt(source, `says tensor "${clip(name)}" lies in "${clip(location)}", a link that leaves its folder`);
  // Opening a pipe would wait for ever.
  if (!(await stat(real)).isFile()) throw corrupt(source, `says tensor "${clip(name)}" lies in "${clip(location)}", which is no file`);
  return open(real, "r");
}

async function readNumbers(file: FileHandle, { name, type, dims, external }: OnnxTensor, source: string): Promise<Uint8Array> {
  const info = await file.stat();
  const { location, offset, length } = external!;
  const bytes = length ?? info.size - offset;
  if (offset + bytes > info.size || bytes < 0) {
    throw corrupt(
      source,
      `says tensor "${clip(name)}" (${type} [${dims.join(", ")}]) lies at byte ${offset} of "${clip(location)}", which has ${info.size} bytes`,
    );
  }
  if (bytes > MAX_FILE_BYTES) throw corrupt(source, `says tensor "${clip(name)}" has ${bytes} bytes`);
  const out = new Uint8Array(bytes);
  for (let done = 0; done < bytes;) {
    const { bytesRead } = await file.read(out, done, bytes - done, offset + done);
    if (bytesRead === 0) throw corrupt(source, `lost "${clip(location)}" while it was read`);
    done += bytesRead;
  }
  return out;
}

/** The model written anew: everything as it was, but for the tensors in `numbers`. Their length is judged when the result is read. */
function withNumbers({ bytes, source }: OnnxModel, numbers: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const out = new MessageWriter();
  const message = new MessageReader(source, bytes);
  while (message.next()) {
    if (message.field !== 7) out.copy(message.fieldBytes());
    else {
      const graph = message.message();
      out.message(7, (inner) => {
        while (graph.next()) {
          if (graph.field !== 5) inner.copy(graph.fieldBytes());
          else writeTensor(inner, graph.message(), numbers);
        }
      });
    }
  }
  return out.finish();
}

/** Fields of a tensor that say where its numbers are. */
const PLACE_FIELDS = new Set([13, 14]);

function writeTensor(out: MessageWriter, tensor: MessageReader, numbers: ReadonlyMap<string, Uint8Array>): void {
  const { name, external } = parseTensor(tensor.copy());
  out.message(5, (inner) => {
    while (tensor.next()) if (external === null || !PLACE_FIELDS.has(tensor.field)) inner.copy(tensor.fieldBytes());
    if (external !== null) inner.bytes(9, numbers.get(name)!);
  });
}
