/** An event file: events in TFRecord's frames, each with its length and checksums. */

import { type FileHandle, mkdir, open, readdir } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";

import { GeoLearnError } from "@geolearn/core";

import { maskedCrc32c } from "./crc32c.ts";
import { fileVersionEvent } from "./events.ts";

/** An event file that is written. Each event is in the file when its write is done, whatever becomes of the process. */
export class EventFile {
  readonly path: string;
  readonly #handle: FileHandle;

  private constructor(path: string, handle: FileHandle) {
    this.path = path;
    this.#handle = handle;
  }

  /**
   * Begins a file in the folder, which is made where it is missing. TensorBoard reads the files of a folder in the order of
   * their names: this one comes last.
   *
   * @throws WRITE_FAILED
   */
  static async create(folder: string): Promise<EventFile> {
    try {
      await mkdir(folder, { recursive: true });
      const seconds = Math.floor(Date.now() / 1000);
      const latest = Math.max(
        0,
        ...(await readdir(folder)).map((name) => Number(/^events\.out\.tfevents\.(\d{1,15})\./.exec(name)?.[1] ?? 0)),
      );
      const stamp = String(Math.max(seconds, latest + 1)).padStart(10, "0");
      const path = join(folder, `events.out.tfevents.${stamp}.${hostname()}.${process.pid}`);
      const file = new EventFile(path, await open(path, "wx"));
      await file.write(fileVersionEvent(Date.now() / 1000));
      return file;
    } catch (cause) {
      throw new GeoLearnError(
        "WRITE_FAILED",
        `TensorBoard's folder ${folder} cannot be written to: ${cause instanceof Error ? cause.message : String(cause)}`,
        {
          hint: "Choose a folder that may be written to.",
          data: { folder },
          cause,
        },
      );
    }
  }

  /** Appends an event. */
  async write(event: Uint8Array): Promise<void> {
    const record = frame(event);
    for (let done = 0; done < record.length;) {
      const { bytesWritten } = await this.#handle.write(record, done);
      if (bytesWritten === 0) throw new Error("the device took no more bytes");
      done += bytesWritten;
    }
  }

  /** Brings what was written to the disk. */
  async flush(): Promise<void> {
    await this.#handle.sync();
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

/** Length, its checksum, the event, its checksum. */
function frame(event: Uint8Array): Buffer {
  const record = Buffer.alloc(event.length + 16);
  record.writeBigUInt64LE(BigInt(event.length), 0);
  record.writeUInt32LE(maskedCrc32c(record.subarray(0, 8)), 8);
  record.set(event, 12);
  record.writeUInt32LE(maskedCrc32c(event), 12 + event.length);
  return record;
}
