/** A file that a page was given: read by slices, never held whole. */

import { GeoLearnError } from "../../errors.ts";
import { type ByteSource, checkRange } from "./byte-source.ts";

/** A source over a `Blob` or `File`. */
export function blobSource(blob: Blob): ByteSource {
  const name = "name" in blob && typeof blob.name === "string" && blob.name !== "" ? blob.name : "the file";
  return {
    name,
    size: blob.size,
    gap: 64 * 1024,
    async read(offset, length, signal) {
      signal?.throwIfAborted();
      checkRange(this, offset, length);
      try {
        return new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer());
      } catch (cause) {
        // Browsers refuse a file that was changed or removed since it was picked.
        throw new GeoLearnError("FILE_NOT_FOUND", `${name} can no longer be read.`, { hint: "Pick the file again.", cause });
      }
    },
    async close() {},
  };
}
