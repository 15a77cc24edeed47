/** What a raster is to the rest of geolearn, wherever its pixels come from. */

import type { Affine } from "../affine.ts";
import type { Rgb } from "../classes.ts";
import type { Crs } from "../crs/crs.ts";
import type { Window } from "../window.ts";

/** Types of one sample. */
export type SampleType = "uint8" | "int8" | "uint16" | "int16" | "uint32" | "int32" | "float32" | "float64";

/** Arrays that hold samples. */
export type Samples = Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | Float32Array | Float64Array;

/** How a pixel value between pixels is found when a read changes the resolution. */
export type Resampling = "nearest" | "bilinear" | "cubic" | "average" | "mode";

/** The pixels of one read. */
export interface RasterArray {
  /** Samples, band after band: index `(band * height + row) * width + col`. */
  readonly data: Samples;
  readonly bands: number;
  readonly height: number;
  readonly width: number;
  /**
   * 1 = valid, 0 = missing, `height * width`; null when every pixel is valid. Invalid by GDAL's rule: the mask band, else the
   * alpha band, else nodata in every band; besides, a pixel with no finite value.
   */
  readonly mask: Uint8Array | null;
  /** Pixel to world, for this array. */
  readonly transform: Affine;
}

/** What is known about one band. */
export interface BandInfo {
  /** Name from the file, or `"band 1"`... */
  readonly name: string;
  readonly interpretation: "gray" | "palette" | "red" | "green" | "blue" | "alpha" | "nir" | "undefined";
}

/** Options of {@link Raster.read}. */
export interface ReadOptions {
  /** Bands to read, from 0. @defaultValue all */
  readonly bands?: readonly number[];
  /** Size of the result in pixels; a smaller one uses overviews. @defaultValue the window's size */
  readonly width?: number;
  readonly height?: number;
  /** Used when the size of the result differs from the window's. @defaultValue "nearest" */
  readonly resampling?: Resampling;
  /** Cancels the read. */
  readonly signal?: AbortSignal;
}

/** A georeferenced grid of samples, read by windows. */
export interface Raster {
  /** Where it came from, for messages. */
  readonly name: string;
  readonly width: number;
  readonly height: number;
  /** Bands in the file, an alpha band included. */
  readonly bands: number;
  readonly sampleType: SampleType;
  /** Pixel to world, or null when the file has none. */
  readonly transform: Affine | null;
  /** Reference system of the world side, or null when the file names none. */
  readonly crs: Crs | null;
  /** Value of missing samples, or null. */
  readonly nodata: number | null;
  readonly bandInfo: readonly BandInfo[];
  /** Index of the alpha band, or null. */
  readonly alphaBand: number | null;
  /** Size of the blocks the file is stored in; reads that follow them are cheapest. */
  readonly blockWidth: number;
  readonly blockHeight: number;
  /** Sizes of the reduced copies, largest first. */
  readonly overviews: readonly { readonly width: number; readonly height: number }[];
  /** Colour of each value of a palette raster. */
  readonly colorTable: ReadonlyMap<number, Rgb> | null;
  /** Names of class values, when the file carries them (written by geolearn). */
  readonly classNames: ReadonlyMap<number, string> | null;
  /**
   * Pixels of a window, clipped to nothing: where the window leaves the raster the samples are nodata (or 0) and the mask is 0.
   *
   * @throws WINDOW_OUTSIDE for a window that is not made of finite integers or has no area, RASTER_CORRUPT for damaged data.
   */
  read(window?: Window, options?: ReadOptions): Promise<RasterArray>;
  /** Releases files and workers. Reading afterwards throws. */
  close(): Promise<void>;
}
