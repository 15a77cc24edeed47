/** An atomic file that grows at its end, written a megabyte at a time. */

import { createInterface } from "node:readline";

import { type AtomicFile, openAtomic } from "../files/atomic.ts";

const FLUSH_BYTES = 1 << 20;

/** A file under construction; it bears its name after `commit()`. */
export class AppendFile {
  readonly #file: AtomicFile;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #written = 0;

  private constructor(file: AtomicFile) {
    this.#file = file;
  }

  /** @throws DISK_FULL, WRITE_FAILED */
  static async create(path: string): Promise<AppendFile> {
    return new AppendFile(await openAtomic(path));
  }

  get path(): string {
    return this.#file.path;
  }

  /** Bytes appended so far. */
  get length(): number {
    return this.#written + this.#pendingBytes;
  }

  /** Appends bytes, which the caller must not change afterwards. */
  async append(bytes: Uint8Array): Promise<void> {
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
    if (this.#pendingBytes > FLUSH_BYTES) await this.#flush();
  }

  /** Replaces bytes that were appended before. */
  async overwrite(bytes: Uint8Array, at = 0): Promise<void> {
    await this.#flush();
    await this.#file.write(bytes, at);
  }

  /** Bytes that were appended before. */
  async read(at: number, length: number): Promise<Uint8Array> {
    await this.#flush();
    const bytes = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const { bytesRead } = await this.#file.handle.read(bytes, done, length - done, at + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return bytes.subarray(0, done);
  }

  /** What was appended, line by line. */
  async lines(): Promise<AsyncIterable<string>> {
    await this.#flush();
    return createInterface({ input: this.#file.handle.createReadStream({ start: 0, autoClose: false }), crlfDelay: Infinity });
  }

  async commit(): Promise<void> {
    await this.#flush();
    await this.#file.commit();
  }

  /** Removes the file, unless it was committed. */
  abort(): Promise<void> {
    return this.#file.abort();
  }

  async #flush(): Promise<void> {
    if (this.#pendingBytes === 0) return;
    const bytes = Buffer.concat(this.#pending);
    this.#pending = [];
    this.#pendingBytes = 0;
    await this.#file.write(bytes, this.#written);
    this.#written += bytes.length;
  }
}
