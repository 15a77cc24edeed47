/** What may lie beside a raster file. */

import type { Affine } from "../affine.ts";
import type { Crs } from "../crs/crs.ts";
import type { ByteSource } from "./sources/byte-source.ts";

/** Files beside a raster that add to it. */
export interface Sidecars {
  /** External overviews (`.ovr`). */
  readonly overviews: ByteSource | null;
  /** External mask (`.msk`). */
  readonly mask: ByteSource | null;
  /** Transform of a world file, used when the raster has none. */
  readonly transform: Affine | null;
  /** Reference system of a `.prj` file, used when the raster has none. */
  readonly crs: Crs | null;
}

/** A raster with nothing beside it. */
export const noSidecars: Sidecars = { overviews: null, mask: null, transform: null, crs: null };
