/** What a piece of work is recognised by. */

import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { crc32 } from "node:zlib";

import type { Raster } from "@geolearn/core";

import type { InferenceOptions } from "./options.ts";
import type { Setup } from "./setup.ts";

/** What identifies a piece of work: when any of it differs, rows of an earlier run are of no use. */
export async function jobOf(setup: Setup, options: InferenceOptions): Promise<unknown> {
  const { scene, plan, bands, blend, merge, tta, config, fn } = setup;
  const { raster, view, transform } = scene;
  const { scores = false, outOfRange = false, predictBackground = true, mask = null } = options;
  return {
    format: 1,
    fn: [fn.name, fn.fingerprint ?? null, setup.parameters],
    config: { ...config, batchSize: 0, concurrency: 0 },
    scene: [
      raster.name,
      raster.width,
      raster.height,
      raster.bands,
      raster.sampleType,
      raster.nodata,
      raster.crs?.proj ?? null,
      view,
      transform,
    ],
    content: [await fileState(raster.name), await sampleContent(raster, bands)],
    mask:
      mask === null
        ? null
        : createHash("sha256")
            .update(JSON.stringify(typeof mask === "string" ? [mask, await fileState(mask)] : mask.features))
            .digest("hex"),
    plan,
    options: { bands, blend, merge, tta, scores, outOfRange, predictBackground },
  };
}

async function fileState(path: string): Promise<readonly number[] | null> {
  const found = await stat(path).catch(() => null);
  return found === null ? null : [found.size, found.mtimeMs];
}

/** Checksum of a few small windows along the diagonal. */
async function sampleContent(raster: Raster, bands: readonly number[]): Promise<number> {
  let sum = 0;
  for (let i = 0; i < 8; i++) {
    const width = Math.min(32, raster.width);
    const height = Math.min(32, raster.height);
    const window = {
      col: Math.floor(((raster.width - width) * i) / 7),
      row: Math.floor(((raster.height - height) * i) / 7),
      width,
      height,
    };
    const { data } = await raster.read(window, { bands });
    sum = crc32(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), sum);
  }
  return sum;
}
