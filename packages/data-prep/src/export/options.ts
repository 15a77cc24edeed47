/** What `exportTrainingData` takes, gives and checks. */

import {
  type Bounds,
  type ClassDefinition,
  type Crs,
  type Features,
  GeoLearnError,
  type Length,
  type NetworkOptions,
  type OnWarning,
  type Raster,
  type RasterSource,
  showValue,
  type WorkOptions,
} from "@geolearn/core";

import { type ChipFolderFormat, chipFolderFormats, FORMATS } from "../formats/formats.ts";
import { type ChipSize, chipSizeOf, type PixelSize } from "../option-rules.ts";

/** File format of image chips. Label rasters are always TIFF: they must stay exact and carry a nodata value. */
export type ChipFormat = "tiff" | "png" | "jpeg";

/** Labels: vector data, or a raster of class values. A path's extension tells which. */
export type LabelSource = string | Features | Raster;

/** A rectangle on the map: in the raster's reference system, or in the one named. */
export type Extent = Bounds | { readonly bounds: Bounds; readonly crs: number | string | Crs };

/** Options of {@link exportTrainingData}. */
export interface ExportOptions extends WorkOptions, NetworkOptions {
  /** Imagery: a path, glob, folder, list, bytes or open raster. Several files of one reference system are one mosaic; others go file by file. */
  readonly raster: RasterSource | readonly RasterSource[];
  /**
   * The same ground at a later date, for change detection: chips of it go into `images2/` under the same names, on the grid of `raster`, resampled where its own differs. Where
   * it has no data nothing is learnt. Only `classifiedTiles` and `exportTiles`.
   */
  readonly additionalRaster?: RasterSource | readonly RasterSource[];
  /** Polygons, lines, points or a class raster, in any reference system. Where features overlap the later one wins. Only `exportTiles` goes without. */
  readonly labels?: LabelSource;
  /** Surveyed land: polygons outside which labels say nothing. Pixels outside are written as ignored. */
  readonly mask?: string | Features;
  /** Folder to write. */
  readonly out: string;
  /** Layout of the folder: a class per pixel, masks of objects, or their boxes. @defaultValue "classifiedTiles" */
  readonly format?: ChipFolderFormat;
  /** @defaultValue "tiff" */
  readonly chipFormat?: ChipFormat;
  /** Pixels. @defaultValue 256 */
  readonly chipSize?: PixelSize;
  /** Pixels between chip origins; 0 lays chips side by side, as in ArcGIS. @defaultValue half the chip */
  readonly stride?: PixelSize;
  /** Field with the class: integers are the values, names get values 1, 2... in alphabetical order. @defaultValue classvalue or value, else all features are one class */
  readonly classField?: string;
  /** Field with the name of the class. @defaultValue classname next to classvalue */
  readonly classNameField?: string;
  /** Names and colours of class values; a class field with names takes its values from here. */
  readonly classes?: readonly (Pick<ClassDefinition, "value" | "name"> & Partial<ClassDefinition>)[];
  /** Turns points and lines into areas: metres on the ground, or `"2 crs"`. */
  readonly bufferRadius?: number | string | Length;
  /** Degrees, at least 1: besides each chip, copies turned by this angle, twice this angle... up to a full turn. @defaultValue 0, none */
  readonly rotation?: number;
  /** Share of a polygon (0 to 1) that must lie in a chip; one cut further is left out, its pixels in class rasters ignored. @defaultValue 0 */
  readonly minOverlap?: number;
  /** Chips around features: of `chipSize` with the feature in the middle, or as large as the box around it. @defaultValue "fixedSize" */
  readonly cropMode?: "fixedSize" | "boundingBox";
  /** Chips around features: everything but the feature is 0. @defaultValue false */
  readonly blacken?: boolean;
  /** Write chips without a label too. @defaultValue false */
  readonly allTiles?: boolean;
  /** Burn every pixel a polygon or line touches, not only those whose centre lies inside. @defaultValue false */
  readonly allTouched?: boolean;
  /** Pixel size of the chips: metres on the ground, or `"0.3 crs"`. @defaultValue the raster's */
  readonly cellSize?: number | string | Length;
  /** Only this part of the raster. */
  readonly extent?: Extent;
  /** Bands to write, by position from 0 or by name; of each date where there are two. @defaultValue all but alpha */
  readonly bands?: readonly (number | string)[];
  /** Index of the first chip; appends to a folder that exists. `"next"` goes on after its last chip. */
  readonly startIndex?: number | "next";
  /** Replace what an earlier export left in the folder. @defaultValue false */
  readonly overwrite?: boolean;
  /** Go on with an export that was interrupted; the folder ends up the same to the byte. @defaultValue true */
  readonly resume?: boolean;
  /** Compression of TIFF chips. @defaultValue "deflate" */
  readonly compression?: "deflate" | "none";
  /** Deflate level of TIFF chips, 1 (fast) to 9 (small). @defaultValue 6 */
  readonly level?: number;
  /** JPEG quality, 1 to 100. @defaultValue 90 */
  readonly quality?: number;
  /** Label value for pixels nothing is learnt from, also the label chips' nodata. @defaultValue the largest value of the label type that is no class */
  readonly ignoreValue?: number;
  /** Reference system of rasters that name none. */
  readonly crs?: number | string | Crs;
  /** Threads that cut, compress and write. @defaultValue the cores of the machine but one, at most 8; none for small exports */
  readonly workers?: number;
  /** Only measure: nothing is written. @defaultValue false */
  readonly estimate?: boolean;
}

/** What an export did. */
export interface ExportResult {
  readonly out: string;
  /** Chips written by this export. */
  readonly chips: number;
  /** Index of the first chip and the index after the last. */
  readonly firstIndex: number;
  readonly endIndex: number;
  /** Windows that gave no chip: without a label, or without any pixel to learn from. */
  readonly skipped: { readonly unlabelled: number; readonly ignored: number };
  readonly chipWidth: number;
  readonly chipHeight: number;
  /** Bands of a chip, of each date where there are two. */
  readonly bands: number;
  readonly sampleType: string;
  /** Classes of the folder with their pixels (class rasters) or objects (the other formats) and chips, earlier exports included. */
  readonly classes: readonly (ClassDefinition & { readonly pixels: number; readonly objects: number; readonly chips: number })[];
  readonly ignoreValue: number;
  readonly megapixels: number;
  readonly seconds: number;
  /** True when an interrupted export was continued or a finished one was found. */
  readonly resumed: boolean;
}

/** What `estimate: true` tells, measured on three rows of chips. */
export interface ExportEstimate {
  readonly out: string;
  /** Chips that would be written, at most: how many windows are left out is only known of the measured rows. */
  readonly chips: number;
  /** What is to be expected, as is `seconds`: the measured rows stand for all. */
  readonly bytes: number;
  readonly seconds: number;
  readonly memoryBytes: number;
}

/** Options with defaults. */
export interface ResolvedExport {
  readonly format: ChipFolderFormat;
  readonly chipWidth: number;
  readonly chipHeight: number;
  readonly strideX: number;
  readonly strideY: number;
  readonly chipFormat: ChipFormat;
  readonly rotation: number;
  readonly minOverlap: number;
  readonly cropMode: "fixedSize" | "boundingBox";
  readonly blacken: boolean;
  readonly allTiles: boolean;
  readonly allTouched: boolean;
  readonly compression: "deflate" | "none";
  readonly level: number;
  readonly quality: number;
}

/** Fills in the defaults, and checks what options say together. @throws INVALID_ARGUMENT, UNSUPPORTED_FORMAT */
export function resolveExport(options: ExportOptions): ResolvedExport {
  const { format = "classifiedTiles", cropMode = "fixedSize" } = options;
  if (!chipFolderFormats.includes(format)) {
    throw new GeoLearnError(
      "UNSUPPORTED_FORMAT",
      `exportTrainingData(): \`format\` is ${showValue(format)}; expected ${chipFolderFormats.map((name) => `"${name}"`).join(", ")}.`,
      {
        hint: 'Use `format: "classifiedTiles"` for pixel classification, "pascalVoc" for boxes.',
        data: { field: "format", value: format },
      },
    );
  }
  if (FORMATS[format].around !== "features" && (cropMode !== "fixedSize" || options.blacken === true)) {
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `\`cropMode\` and \`blacken\` are for chips around features, which "${format}" does not have.`,
      {
        hint: 'Use `format: "labeledTiles"` or `"imagenet"`.',
        data: cropMode === "fixedSize" ? { field: "blacken", value: true } : { field: "cropMode", value: cropMode },
      },
    );
  }
  if (options.labels === undefined && FORMATS[format].holds !== "nothing") {
    throw new GeoLearnError("INVALID_ARGUMENT", `\`format: "${format}"\` needs \`labels\`.`, {
      hint: 'Without labels only `format: "exportTiles"` makes sense.',
      data: { field: "labels", value: undefined },
    });
  }
  if (options.additionalRaster !== undefined && FORMATS[format].pairs !== true) {
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `\`format: "${format}"\` has no chips of a later date, which \`additionalRaster\` is for.`,
      {
        hint: 'Use `format: "classifiedTiles"`, whose labels say what changed, or `"exportTiles"`.',
        data: { field: "additionalRaster", value: options.additionalRaster, format },
      },
    );
  }
  const chip = chipSizeOf(options.chipSize ?? 256);
  const stride = resolveStride(options.stride, chip);
  return {
    format,
    chipWidth: chip.width,
    chipHeight: chip.height,
    strideX: stride.width,
    strideY: stride.height,
    chipFormat: options.chipFormat ?? "tiff",
    rotation: options.rotation ?? 0,
    minOverlap: options.minOverlap ?? 0,
    cropMode,
    blacken: options.blacken ?? false,
    allTiles: (options.allTiles ?? false) || options.labels === undefined,
    allTouched: options.allTouched ?? false,
    compression: options.compression ?? "deflate",
    level: options.level ?? 6,
    quality: options.quality ?? 90,
  };
}

/** Pixels between chips; 0 is "no overlap", as in Esri's tool. */
export function resolveStride(stride: PixelSize | undefined, chip: ChipSize): ChipSize {
  if (stride === undefined) return { width: Math.max(1, Math.floor(chip.width / 2)), height: Math.max(1, Math.floor(chip.height / 2)) };
  const { width, height } = chipSizeOf(stride);
  return { width: width === 0 ? chip.width : width, height: height === 0 ? chip.height : height };
}

/** Networks as they come halve chips four times (plain encoders) or five times (residual ones). */
const SOME_NETWORK = 16;
const EVERY_NETWORK = 32;

/** Warns of chips no network takes as it comes: made once, they would only be refused when training begins. */
export function warnOfChipSize({ chipWidth, chipHeight }: ResolvedExport, onWarning: OnWarning | undefined): void {
  if (chipWidth % SOME_NETWORK === 0 && chipHeight % SOME_NETWORK === 0) return;
  const [width, height] = [chipWidth, chipHeight].map((side) => EVERY_NETWORK * Math.ceil(side / EVERY_NETWORK));
  const next = width === height ? `${width}` : `{ width: ${width}, height: ${height} }`;
  onWarning?.({
    code: "CHIP_SIZE_NOT_DIVISIBLE",
    message: `No network takes chips of ${chipWidth} x ${chipHeight} pixels as they are: sides must be multiples of ${SOME_NETWORK}, with a residual backbone of ${EVERY_NETWORK}.`,
    hint: `Use \`chipSize: ${next}\`, which every network takes. Chips can also be cut smaller when training.`,
  });
}
