/** TIFF predictors, which make neighbouring samples small before they are deflated. Both work in place. */

import type { SampleType, Samples } from "../raster.ts";
import { sampleBytes } from "../samples.ts";

/** 1 none, 2 differences of integers, 3 differences of the bytes of floats. */
export type Predictor = 1 | 2 | 3;

/** Replaces each row of pixel-interleaved samples by what the predictor leaves of it. */
export function applyPredictor(predictor: Predictor, data: Samples, width: number, bands: number, type: SampleType): void {
  if (predictor === 2) differences(data, width * bands, bands);
  if (predictor === 3) byteDifferences(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), width, bands, sampleBytes(type));
}

/** Differences between neighbouring pixels of one row; wrap-around of the array type is what the format asks for. */
function differences(data: Samples, rowLength: number, bands: number): void {
  for (let row = 0; row < data.length; row += rowLength) {
    for (let i = row + rowLength - 1; i >= row + bands; i--) data[i] = data[i]! - data[i - bands]!;
  }
}

/** Adobe's technical note 3: the bytes of a row by significance, highest first, then their differences. */
function byteDifferences(bytes: Uint8Array, width: number, bands: number, sampleBytes: number): void {
  const samples = width * bands;
  const rowBytes = samples * sampleBytes;
  const planes = new Uint8Array(rowBytes);
  for (let row = 0; row < bytes.length; row += rowBytes) {
    for (let k = 0; k < sampleBytes; k++) {
      const plane = (sampleBytes - 1 - k) * samples;
      for (let i = 0, from = row + k; i < samples; i++, from += sampleBytes) planes[plane + i] = bytes[from]!;
    }
    for (let i = 0; i < bands; i++) bytes[row + i] = planes[i]!;
    for (let i = bands; i < rowBytes; i++) bytes[row + i] = planes[i]! - planes[i - bands]!;
  }
}
