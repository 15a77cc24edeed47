/** The pixels of one chip as the network was trained on them. */

import { arrayRaster, type Feature, rasterize, type Raster, type RasterArray, type Window } from "@geolearn/core";

type Geometry = NonNullable<Feature["geometry"]>;

/** What becomes of a window's pixels. */
export interface ChipRule {
  readonly bands: readonly number[];
  readonly chipWidth: number;
  readonly chipHeight: number;
  /** Value of missing samples, one per band. */
  readonly fill: readonly number[];
  /** For each band, whether a sample equal to the raster's nodata value is missing although its pixel is valid. */
  readonly dropNodata: readonly boolean[];
}

/**
 * Reads a window, sets everything outside `keep` to 0 if given, brings it to the chip's size and writes it into a block `[chip, height, width,
 * bands]`, as its `index`-th entry. Pixels are those of the window alone, averaged where there are more of them than in the chip, as chips in
 * files are read.
 *
 * @returns whether any pixel of the window is valid
 */
export async function readChip(
  raster: Raster,
  window: Window,
  rule: ChipRule,
  out: { readonly pixels: Float32Array; readonly mask: Uint8Array; readonly index: number },
  { keep = null, signal }: { readonly keep?: Geometry | null; readonly signal?: AbortSignal | undefined },
): Promise<boolean> {
  const { bands, chipWidth: width, chipHeight: height } = rule;
  const read = await raster.read(window, { bands, ...(signal && { signal }) });
  const kept = keep === null ? read : blackened(read, keep);
  const { data, mask } = await resized(raster, kept, width, height);
  const area = width * height;
  let any = false;
  for (let p = 0, at = out.index * area; p < area; p++, at++) {
    const valid = mask === null || mask[p] === 1;
    out.mask[at] = valid ? 1 : 0;
    any ||= valid;
    for (let band = 0; band < bands.length; band++) {
      const value = data[band * area + p]!;
      const usable = valid && Number.isFinite(value) && !(rule.dropNodata[band]! && value === raster.nodata);
      out.pixels[at * bands.length + band] = usable ? value : rule.fill[band]!;
    }
  }
  return any;
}

async function resized(raster: Raster, read: RasterArray, width: number, height: number): Promise<RasterArray> {
  if (read.width === width && read.height === height) return read;
  const resampling = read.width > width || read.height > height ? "average" : "bilinear";
  return arrayRaster(raster, read).read(undefined, { width, height, resampling });
}

/** 0 in every pixel whose centre lies outside a geometry. */
function blackened(read: RasterArray, geometry: Geometry): RasterArray {
  const { width, height, bands, transform } = read;
  const inside = rasterize([{ geometry, value: 1 }], { transform, width, height });
  const data = read.data.slice();
  for (let i = 0; i < bands * inside.length; i++) if (inside[i % inside.length] === 0) data[i] = 0;
  return { ...read, data };
}
