/** What a raster writer is; `createRaster` (in `cog-writer.ts`) makes one. */

import type { Affine } from "../affine.ts";
import type { Rgb } from "../classes.ts";
import type { Crs } from "../crs/crs.ts";
import type { SampleType, Samples } from "./raster.ts";

/** What is written besides the samples. */
export interface RasterProfile {
  readonly width: number;
  readonly height: number;
  readonly bands: number;
  readonly sampleType: SampleType;
  readonly transform: Affine | null;
  readonly crs: Crs | null;
  /** @defaultValue null */
  readonly nodata?: number | null;
  /** Tile side in pixels, a multiple of 16. @defaultValue 512 */
  readonly blockSize?: number;
  /** @defaultValue "deflate" */
  readonly compression?: "deflate" | "none";
  /** Deflate level 1 to 9. @defaultValue 6 */
  readonly level?: number;
  /** How reduced copies are made; "none" writes none. @defaultValue "nearest" with a colour table, else "average" */
  readonly overviews?: "nearest" | "average" | "mode" | "none";
  /** Colour of each value; uint8 or uint16, one band. */
  readonly colorTable?: ReadonlyMap<number, Rgb>;
  /** Names of class values, kept as GDAL metadata of the first band: item `CLASS_NAME_<value>` holds the name. */
  readonly classNames?: ReadonlyMap<number, string>;
  readonly bandNames?: readonly string[];
  /** True when the last band is alpha. @defaultValue false */
  readonly alpha?: boolean;
  /** Whether offsets have 64 bits; smaller files need no BigTIFF. @defaultValue from 3.9 GB on */
  readonly bigTiff?: boolean;
  /** Further GDAL metadata items. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Writes a raster from top to bottom; the path holds nothing new before `close()` has ended well. */
export interface RasterWriter {
  /** The next rows, full width: `[bands, rows, width]` band after band. The array may be used again once the promise is done. */
  appendRows(data: Samples, rows: number): Promise<void>;
  /** Writes overviews and the header, then moves the file to its name. @throws DISK_FULL, WRITE_FAILED */
  close(): Promise<void>;
  /** Throws everything away; safe to call at any time, also after `close()`. */
  abort(): Promise<void>;
}
