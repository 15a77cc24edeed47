import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { describe, expect, test } from "vitest";

import { WorkerPool } from "../workers/worker-pool.ts";
import type { MutationReply, MutationRequest } from "./mutate.worker.ts";
import { sharedData } from "./peers.testing.ts";

const zoo = join(sharedData, "geotiff-zoo");

/** One of every codec, layout and byte order. */
const seeds = [
  "generated/uint8_none_tiled16.tif",
  "generated/bigendian_uint16_deflate_pred2.tif",
  "generated/bigtiff_deflate.tif",
  "generated/bit12_uint16_lzw.tif",
  "generated/bit1_ccittfax4.tif",
  "generated/float32_lerc.tif",
  "generated/float32_lerc_zstd_tiled64.tif",
  "generated/float32_lzw_pred3.tif",
  "generated/float64_deflate_pred3.tif",
  "generated/uint8_internal_mask_deflate.tif",
  "generated/uint8_jpeg_ycbcr_tiled64.tif",
  "generated/uint8_packbits.tif",
  "generated/uint8_planar_separate_tiled64_lzw.tif",
  "generated/uint16_zstd_pred2_tiled64.tif",
  "generated/palette_8class.tif",
  "original/cog_tags.tif",
  "original/rotated.tif",
];

/** Another seed, other damage. */
const seed = Number(process.env["GEOLEARN_SEED"] ?? 20261123);
/** More in a nightly run: GEOLEARN_MUTATIONS=5000. */
const count = Number(process.env["GEOLEARN_MUTATIONS"] ?? 30);
const present = existsSync(zoo);
if (!present) process.stdout.write(`raster: mutation tests are skipped, ${zoo} is not there\n`);

describe.skipIf(!present)(`${count} damaged copies of each file`, () => {
  test.each(seeds)("%s", { timeout: 60_000 + count * 5000 }, async (name) => {
    const pool = new WorkerPool<MutationRequest, MutationReply>(import.meta.url, "mutate.worker", {
      size: 1,
      deadline: 30_000 + count * 5000,
      resourceLimits: { maxOldGenerationSizeMb: 512 },
    });
    try {
      const bytes = new Uint8Array(readFileSync(join(zoo, name)));
      const { read, refused, wrong } = await pool.run({ bytes, seed, count });
      expect(wrong).toEqual([]);
      expect(read + refused).toBe(count);
    } finally {
      await pool.close();
    }
  });
});

test("a program that has read ends by itself, with decoding threads and without close()", () => {
  const root = fileURLToPath(new URL("../../../../", import.meta.url));
  const path = join(zoo, "generated/float32_lerc.tif");
  if (!present) return;
  const script = `import { openRaster } from ${JSON.stringify(new URL("./open-raster.ts", import.meta.url).href)};
    const raster = await openRaster(${JSON.stringify(path)}); const { data } = await raster.read(); console.log(data.length);`;
  const output = execFileSync(process.execPath, ["--import", "tsx", "--conditions=@geolearn/source", "--input-type=module", "-e", script], {
    cwd: root,
    encoding: "utf8",
    timeout: 20_000,
  });
  expect(output.trim()).toBe(String(161 * 131));
});
