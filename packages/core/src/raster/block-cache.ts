/** Decoded blocks of all rasters of the process, the least recently used dropped first. */

import type { Samples } from "./raster.ts";

/** Bytes kept when nobody asks for more. */
const BASE_BYTES = 128 * 1024 * 1024;
/** Bytes kept at most, whatever rasters ask for. */
const MAX_BYTES = 512 * 1024 * 1024;
/** No image has more blocks, so that owner and block make one number. */
const BLOCKS = 2 ** 24;

const blocks = new Map<number, Samples>();
/** Bytes that each raster's windows need to be read row by row without decoding a block twice. */
const wishes = new Map<number, number>();
let bytes = 0;
let owners = 0;

/** The part of the cache that belongs to one image. */
export interface BlockCache {
  get(index: number): Samples | undefined;
  set(index: number, samples: Samples): void;
  /** Drops all blocks of the image. */
  clear(): void;
}

/** A new part of the cache. `wish` is how many bytes the image would like to keep. */
export function createBlockCache(wish: number): BlockCache {
  const owner = owners++;
  wishes.set(owner, wish);
  const own = new Set<number>();
  return {
    get(index) {
      const key = owner * BLOCKS + index;
      const samples = blocks.get(key);
      if (samples === undefined) return undefined;
      blocks.delete(key);
      blocks.set(key, samples);
      return samples;
    },
    set(index, samples) {
      if (!wishes.has(owner)) return;
      const key = owner * BLOCKS + index;
      bytes += samples.byteLength - (blocks.get(key)?.byteLength ?? 0);
      blocks.delete(key);
      blocks.set(key, samples);
      own.add(index);
      shrink();
    },
    clear() {
      wishes.delete(owner);
      for (const index of own) {
        const key = owner * BLOCKS + index;
        bytes -= blocks.get(key)?.byteLength ?? 0;
        blocks.delete(key);
      }
      own.clear();
    },
  };
}

function shrink(): void {
  const limit = Math.min(MAX_BYTES, Math.max(BASE_BYTES, ...wishes.values()));
  for (const [key, samples] of blocks) {
    if (bytes <= limit) return;
    blocks.delete(key);
    bytes -= samples.byteLength;
  }
}
