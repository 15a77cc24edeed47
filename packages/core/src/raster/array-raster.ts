/** Pixels that were read, as a raster of their own: its neighbours are gone, as in a file that holds nothing else. */

import { describeRaster, levelRaster } from "./level-raster.ts";
import { createSamples } from "./samples.ts";
import type { Level } from "./level.ts";
import type { Raster, RasterArray } from "./raster.ts";

/**
 * The pixels of a read as a raster, under the description of the one they came from but for the bands. It holds the arrays and copies of nothing.
 *
 * @example
 * const chip = arrayRaster(raster, await raster.read({ col: 10, row: 20, width: 37, height: 52 }));
 * const { data } = await chip.read(undefined, { width: 32, height: 32, resampling: "average" });
 */
export function arrayRaster(like: Raster, { data, mask, bands, width, height, transform }: RasterArray): Raster {
  const level: Level = {
    width,
    height,
    async read(window, wanted) {
      const out = createSamples(like.sampleType, wanted.length * window.width * window.height);
      const valid = mask === null ? null : new Uint8Array(window.width * window.height);
      for (let row = 0; row < window.height; row++) {
        const from = (window.row + row) * width + window.col;
        wanted.forEach((band, i) => {
          const start = band * width * height + from;
          out.set(data.subarray(start, start + window.width), (i * window.height + row) * window.width);
        });
        valid?.set(mask!.subarray(from, from + window.width), row * window.width);
      }
      return { data: out, mask: valid };
    },
  };
  const size = { width, height, blockWidth: width, blockHeight: height };
  return levelRaster({ ...describeRaster(like), ...size, bands, transform, alphaBand: null }, [level], async () => undefined);
}
