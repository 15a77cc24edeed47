/** Bytes put aside until their place in the file is known: in memory up to a limit, then in a scratch file. */

import fs, { type FileHandle } from "node:fs/promises";

import { temporaryPath, writeError, writeFully } from "../../files/atomic.ts";

const COPY_BYTES = 4 * 1024 * 1024;

/** An append-only store beside the file that will take its content. */
export class Spool {
  readonly #path: string;
  readonly #memoryLimit: number;
  #parts: Uint8Array[] = [];
  #size = 0;
  #handle: FileHandle | null = null;
  #scratch: string | null = null;

  /** @param path - the final file, for messages and for the place of the scratch file */
  constructor(path: string, memoryLimit: number) {
    this.#path = path;
    this.#memoryLimit = memoryLimit;
  }

  get size(): number {
    return this.#size;
  }

  /** Adds bytes; they must not change afterwards. @throws DISK_FULL, WRITE_FAILED */
  async append(...parts: Uint8Array[]): Promise<void> {
    const length = parts.reduce((sum, part) => sum + part.byteLength, 0);
    if (this.#handle === null && this.#size + length <= this.#memoryLimit) {
      this.#parts.push(...parts);
      this.#size += length;
      return;
    }
    try {
      this.#handle ??= await this.#openScratch();
      const bytes = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
      await writeFully(this.#handle, bytes, this.#size);
      this.#size += length;
    } catch (error) {
      throw writeError(this.#path, error);
    }
  }

  /** All bytes in order, in pieces. */
  async *pieces(): AsyncGenerator<Uint8Array> {
    if (this.#handle === null) {
      yield* this.#parts;
      return;
    }
    for (let at = 0; at < this.#size; at += COPY_BYTES) {
      const piece = Buffer.allocUnsafe(Math.min(COPY_BYTES, this.#size - at));
      for (let done = 0; done < piece.length;) {
        const { bytesRead } = await this.#handle.read(piece, done, piece.length - done, at + done).catch((error: unknown) => {
          throw writeError(this.#path, error);
        });
        if (bytesRead === 0) throw writeError(this.#path, new Error("the scratch file became shorter"));
        done += bytesRead;
      }
      yield piece;
    }
  }

  /** Removes the scratch file; safe at any time. */
  async discard(): Promise<void> {
    this.#parts = [];
    const handle = this.#handle;
    this.#handle = null;
    await handle?.close().catch(() => undefined);
    if (this.#scratch !== null) await fs.rm(this.#scratch, { force: true }).catch(() => undefined);
  }

  async #openScratch(): Promise<FileHandle> {
    const scratch = temporaryPath(this.#path);
    const handle = await fs.open(scratch, "wx+");
    this.#scratch = scratch;
    this.#handle = handle;
    // Where the system allows it the name goes at once, so that even a killed process leaves nothing.
    if (process.platform !== "win32") await fs.rm(scratch, { force: true }).catch(() => undefined);
    let at = 0;
    for (const part of this.#parts) {
      await writeFully(handle, part, at);
      at += part.byteLength;
    }
    this.#parts = [];
    return handle;
  }
}
