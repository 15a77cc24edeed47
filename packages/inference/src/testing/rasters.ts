/** Rasters and functions for tests. */

import {
  type Affine,
  type Crs,
  type Raster,
  type RasterArray,
  type ReadOptions,
  type SampleType,
  type Samples,
  type Window,
  createSamples,
  parseCrs,
} from "@geolearn/core";

import type { InferenceConfiguration, InferenceFunction, PixelBlock } from "../inference-function.ts";

/** What a raster in memory is made of. */
export interface MemoryRasterOptions {
  readonly width: number;
  readonly height: number;
  readonly bands?: number;
  readonly sampleType?: SampleType;
  readonly nodata?: number | null;
  readonly value: (band: number, row: number, col: number) => number;
  readonly valid?: (row: number, col: number) => boolean;
  readonly transform?: Affine | null;
  readonly crs?: Crs | null;
  readonly bandNames?: readonly string[];
  readonly blockSize?: number;
  /** Called for each read. */
  readonly onRead?: (window: Window) => void | Promise<void>;
}

/** A raster in memory, of metres in UTM zone 33 unless told otherwise. */
export function memoryRaster(options: MemoryRasterOptions): Raster {
  const { width, height, bands = 3, sampleType = "uint8", nodata = null, value, valid, onRead } = options;
  const data = createSamples(sampleType, bands * width * height);
  for (let band = 0; band < bands; band++) {
    for (let row = 0; row < height; row++) {
      for (let col = 0; col < width; col++) data[(band * height + row) * width + col] = value(band, row, col);
    }
  }
  const transform = options.transform === undefined ? ([1, 0, 500_000, 0, -1, 5_000_000] as const) : options.transform;
  return {
    name: "memory",
    width,
    height,
    bands,
    sampleType,
    transform,
    crs: options.crs === undefined ? parseCrs(32633) : options.crs,
    nodata,
    bandInfo: Array.from({ length: bands }, (_, band) => ({
      name: options.bandNames?.[band] ?? `band ${band + 1}`,
      interpretation: "undefined" as const,
    })),
    alphaBand: null,
    blockWidth: options.blockSize ?? 64,
    blockHeight: options.blockSize ?? 64,
    overviews: [],
    colorTable: null,
    classNames: null,
    async read(window: Window = { col: 0, row: 0, width, height }, { bands: wanted, signal }: ReadOptions = {}): Promise<RasterArray> {
      await onRead?.(window);
      signal?.throwIfAborted();
      return readWindow(window, wanted ?? Array.from({ length: bands }, (_, band) => band));
    },
    close: () => Promise.resolve(),
  };

  function readWindow(window: Window, wanted: readonly number[]): RasterArray {
    const out: Samples = createSamples(sampleType, wanted.length * window.width * window.height);
    const mask = valid === undefined ? null : new Uint8Array(window.width * window.height);
    for (let row = 0; row < window.height; row++) {
      for (let col = 0; col < window.width; col++) {
        const at = (window.row + row) * width + window.col + col;
        wanted.forEach((band, i) => (out[(i * window.height + row) * window.width + col] = data[band * width * height + at]!));
        if (mask !== null) mask[row * window.width + col] = valid!(window.row + row, window.col + col) ? 1 : 0;
      }
    }
    return {
      data: out,
      bands: wanted.length,
      height: window.height,
      width: window.width,
      mask,
      transform: transform ?? [1, 0, 0, 0, 1, 0],
    };
  }
}

/** Two classes with a gap in the values. */
export const CLASSES = [
  { value: 0, name: "background", color: [0, 0, 0] },
  { value: 7, name: "building", color: [200, 30, 30] },
] as const;

/** What a test function is made of. */
export interface TestFunctionOptions extends Partial<InferenceConfiguration> {
  readonly tile?: number;
  readonly score: (block: PixelBlock, image: number, row: number, col: number, band: number) => number;
  readonly onProcess?: (block: PixelBlock) => void | Promise<void>;
  readonly fingerprint?: string;
}

/** A function given by the score of each pixel and class. */
export function testFunction(options: TestFunctionOptions): InferenceFunction {
  const { tile = 32, score, onProcess, fingerprint, ...rest } = options;
  const bands = rest.outputBands ?? rest.classes?.length ?? CLASSES.length;
  const margin = rest.margin ?? 0;
  return {
    name: "test",
    ...(fingerprint === undefined ? {} : { fingerprint }),
    parameters: () => [],
    configure: (scene) =>
      Promise.resolve({
        bands: Array.from({ length: scene.bands }, (_, band) => band),
        tileWidth: tile,
        tileHeight: tile,
        padding: tile / 4,
        batchSize: 4,
        output: "scores",
        outputBands: bands,
        outputType: "float32",
        classes: CLASSES,
        ...rest,
      }),
    async process(block) {
      await onProcess?.(block);
      const width = block.width - 2 * margin;
      const height = block.height - 2 * margin;
      const out = new Float32Array(block.size * width * height * bands);
      let i = 0;
      for (let image = 0; image < block.size; image++) {
        for (let row = 0; row < height; row++) {
          for (let col = 0; col < width; col++) {
            for (let band = 0; band < bands; band++) out[i++] = score(block, image, row + margin, col + margin, band);
          }
        }
      }
      return out;
    },
    dispose: () => Promise.resolve(),
  };
}

/** Value of a pixel of a block. */
export function pixelOf(block: PixelBlock, image: number, row: number, col: number, band: number): number {
  return block.pixels[((image * block.height + row) * block.width + col) * block.bands + band]!;
}
