/** The rows of a raster band, read in strips, the next strip while the last one is worked on. */

import { type Affine, type Raster, type RasterArray, type WorkOptions, groundResolution, pixelArea, windowTransform } from "@geolearn/core";

/** Samples that a strip holds at most, unless a single block row has more. */
const STRIP_SAMPLES = 4 * 1024 * 1024;

/** One strip of one band. */
export interface Strip {
  readonly row: number;
  readonly rows: number;
  readonly array: RasterArray;
}

/** Reads a band from top to bottom, reporting progress in rows. */
export async function* readStrips(
  raster: Raster,
  band: number,
  stripRows: number | undefined,
  stage: string,
  { signal, onProgress }: WorkOptions,
): AsyncGenerator<Strip> {
  const blocks = Math.max(1, Math.floor(STRIP_SAMPLES / (raster.width * raster.blockHeight)));
  const height = stripRows ?? Math.max(1, Math.min(raster.height, blocks * raster.blockHeight));
  const read = (row: number): Promise<RasterArray> => {
    const rows = Math.min(height, raster.height - row);
    const options = signal === undefined ? { bands: [band] } : { bands: [band], signal };
    return raster.read({ col: 0, row, width: raster.width, height: rows }, options);
  };
  const report = (done: number): void => onProgress?.({ stage, done, total: raster.height, unit: "rows" });
  signal?.throwIfAborted();
  report(0);
  let next = read(0);
  for (let row = 0; row < raster.height; row += height) {
    const array = await next;
    signal?.throwIfAborted();
    const following = row + height;
    if (following < raster.height) {
      next = read(following);
      // Its failure shows when it is awaited; until then it is not "unhandled".
      next.catch(() => undefined);
    }
    yield { row, rows: array.height, array };
    report(Math.min(following, raster.height));
  }
}

/** Ground areas are computed for this many rows and interpolated between them, which errs by less than 1e-4 on a globe. */
const AREA_KNOTS = 128;

/** Ground area in square metres of a pixel of each row (in the middle of the row); in square CRS units without a CRS. */
export function rowAreas({ crs, height, width }: Raster, transform: Affine): (row: number) => number {
  if (crs === null) return () => pixelArea(transform);
  const knots = Math.min(height - 1, AREA_KNOTS);
  const areaAt = (row: number): number => groundResolution(crs, windowTransform(transform, 0, row), width, 1) ** 2;
  if (knots < 1) return areaAt;
  const areas = Array.from({ length: knots + 1 }, (_, k) => areaAt((k * (height - 1)) / knots));
  return (row) => {
    const at = (row * knots) / (height - 1);
    const k = Math.min(knots - 1, Math.floor(at));
    return areas[k]! + (areas[k + 1]! - areas[k]!) * (at - k);
  };
}
