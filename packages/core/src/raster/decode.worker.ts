/** The thread that decodes blocks. */

import { serveRequests } from "../workers/serve.ts";
import type { BlockSpec } from "./codecs/block-spec.ts";
import { decodeBlock } from "./codecs/decode-block.ts";
import type { DecodeReply, DecodeRequest } from "./decode-pool.ts";
import type { Samples } from "./raster.ts";

serveRequests(async (request: DecodeRequest): Promise<{ reply: DecodeReply; transfer: ArrayBuffer[] }> => {
  const spec: BlockSpec = request.spec;
  const blocks: Samples[] = [];
  for (const { bytes, rows } of request.blocks) blocks.push(await decodeBlock(spec, bytes, rows));
  const buffers = new Set(blocks.map(({ buffer }) => buffer as ArrayBuffer));
  return { reply: { blocks }, transfer: [...buffers] };
});
