/** Compressions of Parquet pages. */

import { brotliDecompressSync, unzipSync } from "node:zlib";

import { GeoLearnError } from "../../errors.ts";
import { decodeZstd } from "../../raster/codecs/zstd.ts";
import { decodeLz4 } from "./lz4.ts";
import { decodeSnappy } from "./snappy.ts";

const NAMES = ["none", "Snappy", "gzip", "LZO", "Brotli", "LZ4 (Hadoop's)", "Zstandard", "LZ4"];

/**
 * The bytes of a page, exactly `size` of them.
 *
 * @throws Error when they are damaged, UNSUPPORTED_FORMAT for a compression that is not read; `where` names the file
 */
export async function decompress(bytes: Uint8Array, codec: number, size: number, where: string): Promise<Uint8Array> {
  const plain = size === 0 && bytes.length === 0 ? bytes : await decode(bytes, codec, size, where);
  if (plain.length !== size) throw new Error(`it holds ${plain.length} of ${size} bytes`);
  return plain;
}

async function decode(bytes: Uint8Array, codec: number, size: number, where: string): Promise<Uint8Array> {
  switch (codec) {
    case 0:
      return bytes;
    case 1:
      return decodeSnappy(bytes, size);
    case 2:
      return unzipSync(bytes, { maxOutputLength: Math.max(1, size) });
    case 4:
      return brotliDecompressSync(bytes, { maxOutputLength: Math.max(1, size) });
    case 6:
      return decodeZstd(bytes, size, [size]);
    case 7:
      return decodeLz4(bytes, size);
    default:
      throw new GeoLearnError("UNSUPPORTED_FORMAT", `${where} is compressed with ${NAMES[codec] ?? `codec ${codec}`}, which is not read.`, {
        hint: "Write it with another compression, for example in Python\n  frame.to_parquet(path, compression='zstd')",
        data: { codec },
      });
  }
}
