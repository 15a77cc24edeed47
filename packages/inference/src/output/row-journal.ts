/**
 * Finished rows beside a result that is still being made. A run that was killed is taken up after its last whole record; a
 * record cut off by the kill is recognised by its checksum and dropped.
 *
 * File: 8 bytes of magic, 32 bytes SHA-256 of the job, then records: rows, number of sections, length of each section,
 * CRC-32 of the payload (all 32 bits, little endian), payload.
 */

import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { crc32, deflateRaw, inflateRaw } from "node:zlib";
import { promisify } from "node:util";

const MAGIC = Buffer.from("GLROWS01", "latin1");
const HEAD = MAGIC.length + 32;
/** No record of ours is near this; a larger length is damage. */
const LARGEST = 2 ** 31;

const deflate = promisify<Uint8Array, { level: number }, Buffer>(deflateRaw);
const inflate = promisify<Uint8Array, Buffer>(inflateRaw);

/** Rows read back. */
export interface JournalRecord {
  readonly rows: number;
  readonly sections: readonly Uint8Array[];
}

/** An open journal. */
export class RowJournal {
  readonly #file: FileHandle;
  #end: number;

  private constructor(file: FileHandle, end: number) {
    this.#file = file;
    this.#end = end;
  }

  /** Opens the journal at `path`; what is there is kept only if it belongs to the same job. */
  static async open(path: string, job: unknown): Promise<RowJournal> {
    const key = Buffer.concat([MAGIC, createHash("sha256").update(JSON.stringify(job)).digest()]);
    const file = await open(path, "a+").then(async (made) => {
      await made.close();
      return open(path, "r+");
    });
    try {
      const head = Buffer.alloc(HEAD);
      const { bytesRead } = await file.read(head, 0, HEAD, 0);
      if (bytesRead !== HEAD || !head.equals(key)) {
        await file.truncate(0);
        await file.write(key, 0, HEAD, 0);
      }
      return new RowJournal(file, HEAD);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** The whole records, in order. Must be read to the end before rows are added. */
  async *records(): AsyncGenerator<JournalRecord, void, undefined> {
    for (;;) {
      const record = await this.#next();
      if (record === null) break;
      yield record;
    }
    await this.#file.truncate(this.#end);
  }

  /** Adds a record; each section is deflated when that is quick and worth it (`pack`). */
  async append(rows: number, sections: readonly { readonly bytes: Uint8Array; readonly pack: boolean }[]): Promise<void> {
    const packed = await Promise.all(
      sections.map(async ({ bytes, pack }) => Buffer.concat([Buffer.of(pack ? 1 : 0), pack ? await deflate(bytes, { level: 1 }) : bytes])),
    );
    const payload = Buffer.concat(packed);
    const head = Buffer.alloc(12 + 4 * packed.length);
    head.writeUInt32LE(rows, 0);
    head.writeUInt32LE(packed.length, 4);
    packed.forEach((section, i) => head.writeUInt32LE(section.length, 8 + 4 * i));
    head.writeUInt32LE(crc32(payload), 8 + 4 * packed.length);
    const record = Buffer.concat([head, payload]);
    await this.#file.write(record, 0, record.length, this.#end);
    this.#end += record.length;
  }

  /** Closes the file and leaves it there. */
  async close(): Promise<void> {
    await this.#file.close();
  }

  async #next(): Promise<JournalRecord | null> {
    const start = await this.#bytes(this.#end, 8);
    if (start === null) return null;
    const rows = start.readUInt32LE(0);
    const count = start.readUInt32LE(4);
    if (count === 0 || count > 16) return null;
    const rest = await this.#bytes(this.#end + 8, 4 * count + 4);
    if (rest === null) return null;
    const lengths = Array.from({ length: count }, (_, i) => rest.readUInt32LE(4 * i));
    const size = lengths.reduce((sum, length) => sum + length, 0);
    const payload = size < LARGEST ? await this.#bytes(this.#end + 12 + 4 * count, size) : null;
    if (payload === null || crc32(payload) !== rest.readUInt32LE(4 * count)) return null;
    this.#end += 12 + 4 * count + size;
    let offset = 0;
    const sections: Uint8Array[] = [];
    for (const length of lengths) {
      const section = payload.subarray(offset, offset + length);
      sections.push(section[0] === 1 ? await inflate(section.subarray(1)) : section.subarray(1));
      offset += length;
    }
    return { rows, sections };
  }

  async #bytes(position: number, length: number): Promise<Buffer | null> {
    const { size } = await this.#file.stat();
    if (position + length > size) return null;
    const buffer = Buffer.alloc(length);
    const { bytesRead } = await this.#file.read(buffer, 0, length, position);
    return bytesRead === length ? buffer : null;
  }
}
