/** Where blocks are decoded in a browser: in the thread that reads. Run it in a web worker if the page must stay fluent meanwhile. */

import { decodeBlock } from "./codecs/decode-block.ts";
import type { DecodeOptions, DecodeRequest } from "./decode-pool.ts";
import type { Samples } from "./raster.ts";

/** Decodes blocks, one after another. @throws RASTER_CORRUPT */
export async function decodeBlocks({ spec, blocks }: DecodeRequest, _options: DecodeOptions): Promise<readonly Samples[]> {
  const decoded: Samples[] = [];
  for (const block of blocks) decoded.push(await decodeBlock(spec, block.bytes, block.rows));
  return decoded;
}

/** Threads that decode. */
export function decodeThreads(): number {
  return 1;
}
