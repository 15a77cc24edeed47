/** A raster with some of its description replaced; pixels are those of the original. */

import { type Affine, type Crs, describeRaster, type Raster, type ReadOptions, type Window, windowTransform } from "@geolearn/core";

/** What may be replaced. */
export interface RasterOverrides {
  readonly transform?: Affine | null;
  readonly crs?: Crs | null;
}

/** The raster under another position or reference system. Closing the view closes the raster. */
export function redescribe(raster: Raster, overrides: RasterOverrides): Raster {
  const transform = overrides.transform === undefined ? raster.transform : overrides.transform;
  return copyOf(raster, {
    transform,
    crs: overrides.crs === undefined ? raster.crs : overrides.crs,
    async read(window, options) {
      const array = await raster.read(window, options);
      return { ...array, transform: windowTransform(transform ?? [1, 0, 0, 0, 1, 0], window?.col ?? 0, window?.row ?? 0) };
    },
  });
}

/** A raster somebody else has opened: closing the view leaves it open. */
export function lentRaster(raster: Raster): Raster {
  return copyOf(raster, { read: (window, options) => raster.read(window, options), close: () => Promise.resolve() });
}

/** The part of a raster inside `window`; reads may still reach beyond it. */
export function cropRaster(raster: Raster, window: Window): Raster {
  const shift = (inner: Window = { col: 0, row: 0, width: window.width, height: window.height }): Window => ({
    ...inner,
    col: inner.col + window.col,
    row: inner.row + window.row,
  });
  return copyOf(raster, {
    width: window.width,
    height: window.height,
    transform: raster.transform === null ? null : windowTransform(raster.transform, window.col, window.row),
    overviews: [],
    read: (inner, options) => raster.read(shift(inner), options),
  });
}

function copyOf(
  raster: Raster,
  changes: Partial<Omit<Raster, "read">> & { read(window?: Window, options?: ReadOptions): ReturnType<Raster["read"]> },
): Raster {
  return { ...describeRaster(raster), overviews: raster.overviews, close: () => raster.close(), ...changes };
}
