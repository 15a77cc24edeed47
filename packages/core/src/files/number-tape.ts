/** Pairs of numbers written one after the other and read from the last to the first: in memory while few, else in a scratch file. */

import fs, { type FileHandle } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { temporaryPath, writeError, writeFully } from "./atomic.ts";

/** Numbers of a block, two of them a pair. */
const BLOCK = 2 ** 16;

/**
 * An append-only list of pairs of integers from 0 to 2^32 - 1, read backwards.
 *
 * @example
 * const tape = new NumberTape();
 * tape.append(3, 7);
 * await tape.settle();
 * const reader = tape.backwards();
 * await reader.ensure(1);
 * const [a, b] = reader.next();
 * await tape.dispose();
 */
export class NumberTape {
  readonly #memoryBlocks: number;
  #block: Uint32Array = new Uint32Array(BLOCK);
  /** Numbers in `#block`. */
  #used = 0;
  /** Full blocks that are not in the file, and how many come before them there. */
  #full: Uint32Array[] = [];
  #stored = 0;
  #handle: FileHandle | null = null;
  #scratch: string = temporaryPath(join(tmpdir(), "geolearn-tape"));

  /** @param memoryBytes - beyond these, blocks go to a file in the folder for temporary files. @defaultValue 16 MiB */
  constructor(memoryBytes: number = 16 * 1024 * 1024) {
    this.#memoryBlocks = Math.floor(memoryBytes / (4 * BLOCK));
  }

  /** Pairs on the tape. */
  get length(): number {
    return ((this.#stored + this.#full.length) * BLOCK + this.#used) / 2;
  }

  /** Adds a pair. */
  append(a: number, b: number): void {
    if (this.#used === BLOCK) {
      this.#full.push(this.#block);
      this.#block = new Uint32Array(BLOCK);
      this.#used = 0;
    }
    this.#block[this.#used++] = a;
    this.#block[this.#used++] = b;
  }

  /** Makes room in memory; to be called now and then while appending. @throws DISK_FULL, WRITE_FAILED */
  async settle(): Promise<void> {
    if (this.#full.length <= this.#memoryBlocks) return;
    try {
      this.#handle ??= await this.#open();
      for (const block of this.#full) {
        await writeFully(this.#handle, new Uint8Array(block.buffer), this.#stored * BLOCK * 4);
        this.#stored++;
      }
    } catch (error) {
      throw writeError(this.#scratch, error);
    }
    this.#full = [];
  }

  /** Reads from the last pair to the first; nothing may be appended any more. */
  backwards(): TapeReader {
    return new TapeReader(this.length, (index) => this.#read(index));
  }

  /** Removes the file; safe at any time. */
  async dispose(): Promise<void> {
    const handle = this.#handle;
    this.#handle = null;
    this.#full = [];
    await handle?.close().catch(() => undefined);
    if (handle !== null) await fs.rm(this.#scratch, { force: true }).catch(() => undefined);
  }

  async #read(index: number): Promise<Uint32Array> {
    if (index >= this.#stored) return this.#full[index - this.#stored] ?? this.#block;
    const block = new Uint8Array(4 * BLOCK);
    for (let done = 0; done < block.length;) {
      const { bytesRead } = await this.#handle!.read(block, done, block.length - done, index * block.length + done).catch(
        (error: unknown) => {
          throw writeError(this.#scratch, error);
        },
      );
      if (bytesRead === 0) throw writeError(this.#scratch, new Error("the scratch file became shorter"));
      done += bytesRead;
    }
    return new Uint32Array(block.buffer);
  }

  async #open(): Promise<FileHandle> {
    const handle = await fs.open(this.#scratch, "wx+");
    // Where the system allows it the name goes at once, so that even a killed process leaves nothing.
    if (process.platform !== "win32") await fs.rm(this.#scratch, { force: true }).catch(() => undefined);
    return handle;
  }
}

/** Reads a {@link NumberTape} from its end. */
export class TapeReader {
  readonly #read: (block: number) => Promise<Uint32Array>;
  /** Pairs that were not read, and how many of them are in memory. */
  #left: number;
  #ready = 0;
  /** Blocks in memory, the next one to be read last. */
  readonly #blocks: Uint32Array[] = [];

  /** @internal Use {@link NumberTape.backwards}. */
  constructor(length: number, read: (block: number) => Promise<Uint32Array>) {
    this.#left = length;
    this.#read = read;
  }

  /** Brings the next `count` pairs into memory, or all when there are fewer. */
  async ensure(count: number): Promise<void> {
    while (this.#ready < Math.min(count, this.#left)) {
      const last = this.#left - this.#ready - 1;
      const index = Math.floor((2 * last) / BLOCK);
      this.#blocks.unshift(await this.#read(index));
      this.#ready += last + 1 - (index * BLOCK) / 2;
    }
  }

  /** The next pair; {@link ensure} must have been called for it. */
  next(): readonly [number, number] {
    if (this.#ready === 0) throw new RangeError("No pair is ready.");
    this.#left--;
    this.#ready--;
    const block = this.#blocks.at(-1)!;
    const at = (2 * this.#left) % BLOCK;
    if (at === 0) this.#blocks.pop();
    return [block[at]!, block[at + 1]!];
  }
}
