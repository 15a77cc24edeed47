/** Where blocks are decoded: in the main thread while little was read, else in a few threads shared by all rasters. */

import { availableParallelism } from "node:os";

import { WorkerPool } from "../workers/worker-pool.ts";
import type { BlockSpec } from "./codecs/block-spec.ts";
import { decodeBlock, needsWorker } from "./codecs/decode-block.ts";
import { sampleBytes } from "./samples.ts";
import type { Samples } from "./raster.ts";

/** Blocks of one image, to be decoded together. */
export interface DecodeRequest {
  readonly spec: BlockSpec;
  readonly blocks: readonly { readonly bytes: Uint8Array; readonly rows: number }[];
}

/** The decoded blocks, in the order of the request. */
export interface DecodeReply {
  readonly blocks: readonly Samples[];
}

/**
 * Bytes decoded in the main thread before threads are started: starting one costs more than decoding as much. Later, too,
 * the main thread decodes what no thread is free for. It needs no deadline for that: geolearn's own decoders stop after a
 * time bounded by the size of a block (none loops on what the data say). Decoders from elsewhere run in threads only.
 */
const MAIN_THREAD_BYTES = 8 * 1024 * 1024;
/** A block larger than this is always left to a thread, which has a deadline. */
const MAIN_THREAD_BLOCK_BYTES = 2 * 1024 * 1024;

/** Threads and deadline of decoding. */
export interface DecodeOptions {
  /** Milliseconds for one request. @defaultValue 30000 */
  readonly deadline: number;
}

let pool: WorkerPool<DecodeRequest, DecodeReply> | null = null;
let decodedInMain = 0;

/** Decodes blocks. @throws RASTER_CORRUPT, TIMEOUT */
export async function decodeBlocks(request: DecodeRequest, options: DecodeOptions): Promise<readonly Samples[]> {
  const { spec } = request;
  const blockBytes = spec.width * spec.height * spec.samples * sampleBytes(spec.sampleType);
  const bytes = blockBytes * request.blocks.length;
  const small = !needsWorker(spec) && (spec.compression === 1 || blockBytes <= MAIN_THREAD_BLOCK_BYTES);
  if (small && (spec.compression === 1 || decodedInMain + bytes <= MAIN_THREAD_BYTES)) return decodeHere(request, bytes);
  if (pool === null) {
    pool = new WorkerPool(import.meta.url, "decode.worker", {
      size: decodeThreads(),
      // geotiff imports a module that reads properties of the thread's data
      workerData: {},
      resourceLimits: { maxOldGenerationSizeMb: 512, maxYoungGenerationSizeMb: 64 },
    });
    pool.prepare();
  }
  if (small && pool.idle === 0) return decodeHere(request, bytes);
  const reply = await pool.run(request, {
    deadline: options.deadline,
    transfer: [...new Set(request.blocks.map(({ bytes: { buffer } }) => buffer as ArrayBuffer))],
  });
  return reply.blocks;
}

async function decodeHere({ spec, blocks }: DecodeRequest, bytes: number): Promise<readonly Samples[]> {
  if (spec.compression !== 1) decodedInMain += bytes;
  const decoded: Samples[] = [];
  for (const block of blocks) decoded.push(await decodeBlock(spec, block.bytes, block.rows));
  return decoded;
}

/** Threads that decode: two at most, for reading keeps the main thread busy as well. */
export function decodeThreads(): number {
  return Math.max(1, Math.min(2, availableParallelism() - 1));
}
