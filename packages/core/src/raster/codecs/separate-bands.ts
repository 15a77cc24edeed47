/** From pixel after pixel to band after band. */

import type { Samples } from "../raster.ts";

/** Pixel after pixel becomes band after band. */
export function separateBands(interleaved: Samples, samples: number, pixels: number): Samples {
  if (samples === 1) return interleaved;
  const out = new (interleaved.constructor as new (length: number) => Samples)(interleaved.length);
  if (samples === 3) {
    for (let i = 0, from = 0; i < pixels; i++, from += 3) {
      out[i] = interleaved[from]!;
      out[i + pixels] = interleaved[from + 1]!;
      out[i + 2 * pixels] = interleaved[from + 2]!;
    }
    return out;
  }
  for (let band = 0; band < samples; band++) {
    for (let i = band * pixels, from = band; i < (band + 1) * pixels; i++, from += samples) out[i] = interleaved[from]!;
  }
  return out;
}
