/** Bytes that are read at any place: a file, or memory. */

import { type FileHandle, open } from "node:fs/promises";

import { GeoLearnError } from "../errors.ts";
import type { ByteSource } from "./byte-source.ts";

/** Random access to bytes; the opener closes it. */
export interface RandomSource {
  readonly name: string;
  readonly size: number;
  /** Bytes from `offset`, fewer than `length` at the end. */
  read(offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Random access to a file, or to bytes in memory. @throws FILE_NOT_FOUND */
export async function openRandom(source: ByteSource): Promise<RandomSource> {
  return source.path === null ? randomMemory(await source.all(), source.name) : openRandomFile(source.path, source.name);
}

/** @throws FILE_NOT_FOUND */
export async function openRandomFile(path: string, name: string): Promise<RandomSource> {
  let handle: FileHandle;
  try {
    handle = await open(path);
  } catch (cause) {
    throw new GeoLearnError("FILE_NOT_FOUND", `${path} cannot be read: ${String(cause)}`, { data: { path }, cause });
  }
  const { size } = await handle.stat();
  return {
    name,
    size,
    async read(offset, length) {
      const bytes = new Uint8Array(Math.max(0, Math.min(length, size - offset)));
      let done = 0;
      while (done < bytes.length) {
        const { bytesRead } = await handle.read(bytes, done, bytes.length - done, offset + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return bytes.subarray(0, done);
    },
    close: () => handle.close(),
  };
}

/** Bytes in memory. */
export function randomMemory(given: Uint8Array, name: string): RandomSource {
  // slice() of a Node Buffer would share its memory
  const bytes = new Uint8Array(given.buffer, given.byteOffset, given.byteLength);
  return {
    name,
    size: bytes.length,
    read: async (offset, length) => bytes.subarray(offset, offset + length),
    close: async () => undefined,
  };
}
