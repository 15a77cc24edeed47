/** LERC blocks (Limited Error Raster Compression): checked here, decoded by geotiff. */

import type { Samples, SampleType } from "../raster.ts";
import { decodeByGeoTiff, LERC } from "./geotiff-decoders.ts";
import { type LercHeader, readLercHeader, readLercMask, startsBlob } from "./lerc-blob.ts";
import { createSamples } from "../samples.ts";

/** Samples of a block, band after band: `[samples, rows, width]`. @throws Error when the blob is damaged or of another size. */
export async function decodeLerc(bytes: Uint8Array, type: SampleType, width: number, rows: number, samples: number): Promise<Samples> {
  const header = readLercHeader(bytes);
  checkSize(header, bytes, width, rows, samples);
  const decoded = await decodeBlob(header, bytes);
  const mask = readLercMask(bytes, header);
  const { depth, height } = header;
  const pixels = width * rows;
  const stored = width * height;
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

/** The decoder allocates what the header claims, and follows blob after blob: one that claims more than the block is refused. */
function checkSize(header: LercHeader, bytes: Uint8Array, width: number, rows: number, samples: number): void {
  const { height, depth, validPixels, length } = header;
  const fits = header.width === width && height >= rows && height <= rows + 65536 && height * width <= 2 ** 28;
  if (!fits || depth < 1 || depth > samples) {
    throw new Error(`its LERC blob is ${header.width} x ${height} pixels of ${depth} values, not ${width} x ${rows} of ${samples}`);
  }
  if (validPixels < 0 || validPixels > width * height) throw new Error("its LERC blob has more valid pixels than pixels");
  if (length < header.maskAt || length > bytes.length) throw new Error(`its LERC blob has ${bytes.length} of ${length} bytes`);
  if (startsBlob(bytes.subarray(length))) throw new Error("it holds more than one LERC blob");
}

/** The values of a blob, those of each depth together. */
async function decodeBlob({ Type, width, height, depth, length }: LercHeader, bytes: Uint8Array): Promise<Samples> {
  const blob = bytes.slice(0, length);
  const buffer = await decodeByGeoTiff(LERC, blob);
  const size = width * height * depth * Type.BYTES_PER_ELEMENT;
  // bytes that were stored as they are come back as the buffer of the whole blob, at the end of which they lie
  const values = buffer === blob.buffer ? buffer.slice(length - size) : buffer;
  if (values.byteLength !== size) throw new Error(`its LERC blob holds ${values.byteLength} of ${size} bytes`);
  return new Type(values);
}
