/** A made-up field with things to be found, for tests of the command line. */

import { type Feature, createRaster, parseCrs, writeFeatures } from "@geolearn/core";

/**
 * Writes `<path>.tif`, a grainy field with a bright hut or a dark pond of some size in each cell of 40 pixels, 1 m a pixel, and
 * `<path>.geojsonl` with the polygons around them, their `kind` "hut" or "pond".
 */
export async function writeField(path: string, { side, bands, seed }: { side: number; bands: number; seed: number }): Promise<void> {
  const crs = parseCrs(32633);
  const pixels = new Uint8Array(bands * side * side);
  let state = seed;
  const random = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  for (let i = 0; i < pixels.length; i++) pixels[i] = 100 + Math.floor(30 * random());
  const features: Feature[] = [];
  // One thing in each cell, at least 6 pixels from its border.
  for (let row = 0; row + 40 <= side; row += 40) {
    for (let col = 0; col + 40 <= side; col += 40) {
      const [width, height] = [14 + Math.floor(12 * random()), 14 + Math.floor(12 * random())];
      const [left, top] = [col + 6 + Math.floor((28 - width) * random()), row + 6 + Math.floor((28 - height) * random())];
      const hut = random() < 0.5;
      for (let band = 0; band < bands; band++) {
        for (let y = top; y < top + height; y++) {
          const from = (band * side + y) * side + left;
          pixels.fill(hut ? 220 - 20 * band : 20 + 20 * band, from, from + width);
        }
      }
      const [x0, y0, x1, y1] = [500_000 + left, 5_000_000 - top, 500_000 + left + width, 5_000_000 - top - height];
      const ring = [[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]] as [number, number][]; // prettier-ignore
      features.push({ geometry: { type: "Polygon", coordinates: [ring] }, properties: { kind: hut ? "hut" : "pond" } });
    }
  }
  const transform = [1, 0, 500_000, 0, -1, 5_000_000] as const;
  const writer = await createRaster(`${path}.tif`, { width: side, height: side, bands, sampleType: "uint8", transform, crs });
  await writer.appendRows(pixels, side);
  await writer.close();
  await writeFeatures(features, `${path}.geojsonl`, { crs });
}
