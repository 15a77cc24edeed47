/** Bytes from a file or from memory, in pieces. */

import { createReadStream } from "node:fs";
import { open, readFile, stat } from "node:fs/promises";
import { basename } from "node:path";

import { GeoLearnError } from "../errors.ts";

/** Something with bytes that can be read more than once. */
export interface ByteSource {
  /** For messages. */
  readonly name: string;
  /** Path of the file, or null for bytes in memory. */
  readonly path: string | null;
  size(): Promise<number>;
  /** Pieces from the start. */
  chunks(): AsyncIterable<Uint8Array>;
  all(): Promise<Uint8Array>;
  /** The last `length` bytes, or fewer. */
  tail(length: number): Promise<Uint8Array>;
}

/** @throws FILE_NOT_FOUND on first use when there is no such file */
export function fileSource(path: string): ByteSource {
  return {
    name: basename(path),
    path,
    size: () => found(path, async () => (await stat(path)).size),
    async *chunks() {
      await found(path, () => stat(path));
      for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) yield chunk as Uint8Array;
    },
    all: () => found(path, () => readFile(path)),
    tail: (length) =>
      found(path, async () => {
        const handle = await open(path);
        try {
          const { size } = await handle.stat();
          const bytes = new Uint8Array(Math.min(length, size));
          await handle.read(bytes, 0, bytes.length, size - bytes.length);
          return bytes;
        } finally {
          await handle.close();
        }
      }),
  };
}

/** Bytes in memory. */
export function memorySource(bytes: Uint8Array, name = "features in memory"): ByteSource {
  return {
    name,
    path: null,
    size: async () => bytes.length,
    async *chunks() {
      yield bytes;
    },
    all: async () => bytes,
    tail: async (length) => bytes.subarray(Math.max(0, bytes.length - length)),
  };
}

async function found<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    throw new GeoLearnError("FILE_NOT_FOUND", `${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, {
      hint: "Check the path and the permissions.",
      data: { path },
      cause,
    });
  }
}
