/** Zstandard blocks. The decoder is loaded on first use. */

import type { ZSTDDecoder } from "zstddec";

let decoder: Promise<ZSTDDecoder> | null = null;

/** Decompresses to at most `limit` bytes; a stream that is damaged or larger gives an empty result. */
export async function decodeZstd(bytes: Uint8Array, limit: number): Promise<Uint8Array> {
  decoder ??= start();
  return (await decoder).decode(bytes, limit);
}

async function start(): Promise<ZSTDDecoder> {
  const { ZSTDDecoder: Decoder } = await import("zstddec");
  const made = new Decoder();
  await made.init();
  return made;
}
