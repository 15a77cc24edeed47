/**
 * The block decoders of the `geotiff` package, which is loaded on first use. They trust their input; what calls them has
 * checked the sizes that a block claims, and runs in a thread that has a deadline.
 */

import type { getDecoder as GetDecoder } from "geotiff";

/** TIFF compression numbers that geotiff decodes. */
export const LERC = 34887;
export const ZSTD = 50000;

/** TIFF's LercParameters: version, and no second compression, for that is undone before. */
const LERC_PARAMETERS = [4, 0];

type Decoder = Awaited<ReturnType<typeof GetDecoder>>;

const decoders = new Map<number, Promise<Decoder>>();

/** What geotiff makes of a block, predictors not undone. */
export async function decodeByGeoTiff(compression: typeof LERC | typeof ZSTD, block: Uint8Array<ArrayBuffer>): Promise<ArrayBufferLike> {
  let decoder = decoders.get(compression);
  if (decoder === undefined) {
    decoder = start(compression);
    decoders.set(compression, decoder);
  }
  return (await decoder).decodeBlock(block.buffer);
}

async function start(compression: number): Promise<Decoder> {
  const { getDecoder } = await import("geotiff");
  const parameters = {
    tileWidth: 0,
    tileHeight: 0,
    bitsPerSample: 8,
    predictor: 1,
    // band after band: its interleaving of 8-bit LERC is wrong
    planarConfiguration: 2,
    LercParameters: LERC_PARAMETERS,
  };
  return getDecoder(compression, parameters);
}
