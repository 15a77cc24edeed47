/** Reads from local files. However many rasters are open, only a bounded number of file handles is. */

import { type FileHandle, open, stat } from "node:fs/promises";
import { resolve } from "node:path";

import { GeoLearnError } from "../../errors.ts";
import { type ByteSource, checkRange } from "./byte-source.ts";

/** Open handles at most, over all rasters of the process; below the usual limit of 256 to 1024 files per process. */
const MAX_HANDLES = 64;

interface Lease {
  handle: Promise<FileHandle>;
  users: number;
}

/** Handles in the order of their last use, the oldest first. */
const leases = new Map<FileSource, Lease>();

class FileSource implements ByteSource {
  readonly gap = 4096;
  readonly name: string;
  readonly size: number;
  readonly #path: string;
  readonly #modified: number;
  #closed = false;

  constructor(name: string, path: string, size: number, modified: number) {
    this.name = name;
    this.#path = path;
    this.size = size;
    this.#modified = modified;
  }

  async read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    signal?.throwIfAborted();
    checkRange(this, offset, length);
    const lease = this.#take();
    try {
      const handle = await lease.handle;
      const bytes = new Uint8Array(length);
      let done = 0;
      while (done < length) {
        const { bytesRead } = await handle.read(bytes, done, length - done, offset + done);
        if (bytesRead === 0) throw this.#changed();
        done += bytesRead;
      }
      return bytes;
    } catch (error) {
      if (GeoLearnError.is(error)) throw error;
      throw fileError(this.name, error);
    } finally {
      lease.users--;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await release(this);
  }

  #take(): Lease {
    if (this.#closed) {
      throw new GeoLearnError("INVALID_ARGUMENT", `${this.name} was read after close().`, { hint: "Open the raster again." });
    }
    const lease = leases.get(this) ?? { handle: this.#open(), users: 0 };
    leases.delete(this);
    leases.set(this, lease);
    lease.users++;
    closeOldest();
    return lease;
  }

  async #open(): Promise<FileHandle> {
    try {
      const handle = await open(this.#path, "r");
      const now = await handle.stat();
      if (now.size === this.size && now.mtimeMs === this.#modified) return handle;
      await handle.close();
      throw this.#changed();
    } catch (error) {
      leases.delete(this);
      throw error;
    }
  }

  #changed(): GeoLearnError {
    return new GeoLearnError("RASTER_CORRUPT", `${this.name} was changed by another program while it was being read.`, {
      hint: "Open the raster again when the file is complete.",
    });
  }
}

/** A source over a local file. @throws FILE_NOT_FOUND when it cannot be opened. */
export async function fileSource(path: string): Promise<ByteSource> {
  try {
    const { size, mtimeMs } = await stat(path);
    return new FileSource(path, resolve(path), size, mtimeMs);
  } catch (error) {
    throw fileError(path, error);
  }
}

function closeOldest(): void {
  for (const [source, lease] of leases) {
    if (leases.size <= MAX_HANDLES) return;
    if (lease.users === 0) void release(source);
  }
}

async function release(source: FileSource): Promise<void> {
  const lease = leases.get(source);
  leases.delete(source);
  const handle = await lease?.handle.catch(() => undefined);
  await handle?.close();
}

function fileError(name: string, cause: unknown): GeoLearnError {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
  if (code === "ENOENT" || code === "ENOTDIR") {
    return new GeoLearnError("FILE_NOT_FOUND", `There is no file ${name}.`, { hint: "Check the path and the working directory.", cause });
  }
  return new GeoLearnError("FILE_NOT_FOUND", `${name} cannot be read (${code}).`, { hint: "Check the permissions of the file.", cause });
}
