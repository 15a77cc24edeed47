/** Samples whose size is not a whole number of bytes, or is three of them. */

import type { Samples, SampleType } from "../raster.ts";
import { createSamples } from "../samples.ts";

/** Rows of `row` samples of `bits` bits, each row padded to a byte, most significant bit first. */
export function unpackBits(raw: Uint8Array, bits: number, row: number, sampleType: SampleType, bigEndian: boolean): Samples {
  const rowBytes = Math.ceil((row * bits) / 8);
  const rows = Math.floor(raw.length / rowBytes);
  const out = createSamples(sampleType, row * rows);
  if (bits === 24) {
    for (let i = 0; i < out.length; i++) {
      const [a, b, c] = [raw[3 * i]!, raw[3 * i + 1]!, raw[3 * i + 2]!];
      out[i] = bigEndian ? (a << 16) | (b << 8) | c : (c << 16) | (b << 8) | a;
    }
    return out;
  }
  for (let y = 0; y < rows; y++) {
    let at = y * rowBytes;
    let held = 0;
    let value = 0;
    for (let x = 0; x < row; x++) {
      while (held < bits) {
        // at most 31 + 8 bits are held: a double keeps them all
        value = value * 256 + raw[at++]!;
        held += 8;
      }
      held -= bits;
      const power = 2 ** held;
      const sample = Math.floor(value / power);
      out[y * row + x] = sample;
      value -= sample * power;
    }
  }
  return out;
}
