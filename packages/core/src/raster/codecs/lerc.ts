/** LERC blocks (Limited Error Raster Compression). The decoder is loaded on first use. */

import type { Samples, SampleType } from "../raster.ts";
import { createSamples } from "./samples.ts";

/** Samples of a block, band after band: `[samples, rows, width]`. @throws Error when the blob is damaged or of another size. */
export async function decodeLerc(bytes: Uint8Array, type: SampleType, width: number, rows: number, samples: number): Promise<Samples> {
  checkHeader(bytes, width, rows, samples);
  const { default: library } = await import("lerc");
  const copy = new Uint8Array(bytes);
  const result = library.decode(copy.buffer, { returnPixelInterleavedDims: false });
  if (result.width !== width || result.height < rows || result.pixels.length !== 1) {
    throw new Error(`its LERC blob is ${result.width} x ${result.height} pixels, not ${width} x ${rows}`);
  }
  const decoded = result.pixels[0]!;
  const pixels = width * rows;
  const stored = width * result.height;
  const depth = decoded.length / stored;
  const mask = result.mask ?? null;
  // an alpha band of 0 and 255 may be stored as the blob's mask
  const maskIsAlpha = depth === samples - 1 && type === "uint8";
  if (depth !== samples && !maskIsAlpha) throw new Error(`its LERC blob has ${depth} of ${samples} bands`);
  const out = createSamples(type, pixels * samples);
  for (let band = 0; band < depth; band++) out.set(decoded.subarray(band * stored, band * stored + pixels), band * pixels);
  if (maskIsAlpha) {
    for (let i = 0; i < pixels; i++) out[depth * pixels + i] = mask === null || mask[i] !== 0 ? 255 : 0;
  } else if (mask !== null && (type === "float32" || type === "float64")) {
    for (let i = 0; i < out.length; i++) if (mask[i % pixels] === 0) out[i] = NaN;
  }
  return out;
}

/** The library allocates what the header claims; a header that claims more than the block is refused before. */
function checkHeader(bytes: Uint8Array, width: number, rows: number, samples: number): void {
  if (bytes.length < 34 || String.fromCharCode(...bytes.subarray(0, 6)) !== "Lerc2 ") throw new Error("its LERC blob has no Lerc2 header");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getInt32(6, true);
  const at = version >= 3 ? 14 : 10;
  const height = view.getInt32(at, true);
  const across = view.getInt32(at + 4, true);
  const depth = version >= 4 ? view.getInt32(at + 8, true) : 1;
  if (across !== width || height < rows || height > rows + 65536 || height * across > 2 ** 28 || depth < 1 || depth > samples) {
    throw new Error(`its LERC blob is ${across} x ${height} pixels of ${depth} values, not ${width} x ${rows} of ${samples}`);
  }
}
