/** Undoes TIFF predictors in place (TIFF 6.0 section 14, Adobe technical note 3). */

import type { Samples } from "../raster.ts";

/**
 * Undoes horizontal differences (predictor 2). `row` is the samples of one row of all bands, the samples have the machine's
 * byte order, and differences run over `samples` interleaved bands.
 */
export function undoDifferences(data: Uint8Array | Uint16Array | Uint32Array | BigUint64Array, row: number, samples: number): void {
  if (data instanceof BigUint64Array) {
    for (let start = 0; start + row <= data.length; start += row) {
      for (let i = start + samples; i < start + row; i++) data[i] = data[i]! + data[i - samples]!;
    }
    return;
  }
  for (let start = 0; start + row <= data.length; start += row) {
    const end = start + row;
    if (samples === 1) {
      let value = data[start]!;
      for (let i = start + 1; i < end; i++) data[i] = value = (value + data[i]!) | 0;
    } else if (samples === 3) {
      let a = data[start]!;
      let b = data[start + 1]!;
      let c = data[start + 2]!;
      for (let i = start + 3; i < end; i += 3) {
        data[i] = a = (a + data[i]!) | 0;
        data[i + 1] = b = (b + data[i + 1]!) | 0;
        data[i + 2] = c = (c + data[i + 2]!) | 0;
      }
    } else {
      for (let i = start + samples; i < end; i++) data[i] = data[i]! + data[i - samples]!;
    }
  }
}

/**
 * Undoes horizontal differences and sorts the samples band after band in one pass; `out` has the type of `data` or its signed
 * twin. Rows are short enough to stay near the processor while each band runs over them.
 */
export function undoDifferencesByBand(data: Uint8Array | Uint16Array, row: number, samples: number, out: Samples): void {
  const width = row / samples;
  const rows = Math.floor(data.length / row);
  if (samples === 3) {
    for (let y = 0, i = 0; y < rows; y++) {
      let a = 0;
      let b = 0;
      let c = 0;
      // three sums at once: each alone would wait for its own last addition
      for (let p = y * width, q = p + rows * width, r = q + rows * width, end = p + width; p < end; p++, q++, r++, i += 3) {
        out[p] = a = (a + data[i]!) | 0;
        out[q] = b = (b + data[i + 1]!) | 0;
        out[r] = c = (c + data[i + 2]!) | 0;
      }
    }
    return;
  }
  for (let y = 0; y < rows; y++) {
    for (let band = 0; band < samples; band++) {
      let value = 0;
      let to = (band * rows + y) * width;
      for (let i = y * row + band, end = (y + 1) * row; i < end; i += samples) out[to++] = value = (value + data[i]!) | 0;
    }
  }
}

/**
 * Undoes the floating-point predictor (3): rows of byte differences, the bytes of all samples sorted by significance, the
 * most significant first. Writes samples of the machine's (little-endian) byte order.
 */
export function undoFloatPredictor(data: Uint8Array, rowSamples: number, samples: number, bytes: number): void {
  const rowBytes = rowSamples * bytes;
  const sorted = new Uint8Array(rowBytes);
  for (let start = 0; start + rowBytes <= data.length; start += rowBytes) {
    const end = start + rowBytes;
    for (let i = start + samples; i < end; i++) data[i] = data[i]! + data[i - samples]!;
    sorted.set(data.subarray(start, end));
    for (let byte = 0; byte < bytes; byte++) {
      const from = byte * rowSamples;
      let to = start + (bytes - 1 - byte);
      for (let i = 0; i < rowSamples; i++, to += bytes) data[to] = sorted[from + i]!;
    }
  }
}
