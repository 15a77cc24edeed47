/** PNG and JPEG chips as samples. */

import { readFile } from "node:fs/promises";

import { GeoLearnError, WorkerPool } from "@geolearn/core";

import { pictureSize } from "./picture-size.ts";

/** To the worker. */
export interface PictureRequest {
  readonly kind: "png" | "jpeg";
  readonly bytes: Uint8Array;
}

/** A decoded picture, channels interleaved. */
export interface DecodedPicture {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly data: Uint8Array | Uint16Array;
}

/** Largest file of one chip, in bytes. */
const MAX_BYTES = 2 ** 28;

/** Decodes pictures in worker threads. */
export class PictureDecoder {
  readonly #pool = new WorkerPool<PictureRequest, DecodedPicture>(import.meta.url, "decode-picture.worker", {
    size: 2,
    deadline: 30_000,
    resourceLimits: { maxOldGenerationSizeMb: 512 },
  });

  /** @throws FILE_NOT_FOUND, CHIPS_CORRUPT, LIMIT_EXCEEDED, TIMEOUT */
  async decode(path: string, signal?: AbortSignal): Promise<DecodedPicture> {
    const bytes = await readFile(path).catch((error: Error) => {
      throw new GeoLearnError("FILE_NOT_FOUND", `The chip ${path} cannot be read: ${error.message}`, {
        hint: "Export the chips again.",
        data: { path },
        cause: error,
      });
    });
    if (bytes.length > MAX_BYTES) {
      throw new GeoLearnError("LIMIT_EXCEEDED", `${path} has ${bytes.length} bytes; a chip may have ${MAX_BYTES}.`, { data: { path } });
    }
    const { kind } = pictureSize(bytes, path);
    try {
      return await this.#pool.run({ kind, bytes: new Uint8Array(bytes) }, signal === undefined ? {} : { signal });
    } catch (error) {
      if (GeoLearnError.is(error) || signal?.aborted === true) throw error;
      throw new GeoLearnError("CHIPS_CORRUPT", `${path} cannot be decoded: ${(error as Error).message}`, {
        hint: "Export the chip again.",
        data: { path },
        cause: error,
      });
    }
  }

  close(): Promise<void> {
    return this.#pool.close();
  }
}
