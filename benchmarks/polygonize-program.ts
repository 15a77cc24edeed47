/**
 * Our side of the polygonize benchmark, as a program of its own:
 *
 *     polygonize-program.ts make SIZE SEED FILE        a class map of blobs and speckle, one byte per pixel
 *     polygonize-program.ts run SIZE CONNECTIVITY FILE outlines it and prints {seconds, count, areas}
 *     polygonize-program.ts write SIZE FILE SIDE OUT   repeats it to SIDE x SIDE pixels, outlines that into a file and prints {seconds, count}
 */

import { readFileSync, writeFileSync } from "node:fs";

import { type Raster, createRng, writeFeatures } from "@geolearn/core";
import { polygonize, toPolygons } from "@geolearn/postprocess";

/** Overlapping five-leaved blobs of five classes on background, then 2 % of the pixels drawn anew. */
function makeClasses(size: number, seed: number): Uint8Array {
  const rng = createRng(seed);
  const classes = new Uint8Array(size * size);
  const blobs = Math.round((size / 4096) ** 2 * 6000);
  for (let blob = 0; blob < blobs; blob++) {
    const [cx, cy, radius, value, turn] = [rng.int(size), rng.int(size), 5 + rng.int(60), 1 + rng.int(5), 6 * rng.next()];
    for (let y = Math.max(0, cy - radius); y < Math.min(size, cy + radius); y++) {
      for (let x = Math.max(0, cx - radius); x < Math.min(size, cx + radius); x++) {
        const edge = radius * (0.75 + 0.25 * Math.sin(5 * Math.atan2(y - cy, x - cx) + turn));
        if (Math.hypot(x - cx, y - cy) < edge) classes[y * size + x] = value;
      }
    }
  }
  for (let i = 0; i < classes.length; i++) if (rng.next() < 0.02) classes[i] = rng.int(6);
  return classes;
}

/** The classes as a raster in memory, so that only outlining is measured. */
function asRaster(data: Uint8Array, size: number): Raster {
  const transform = [1, 0, 0, 0, -1, size] as const;
  return {
    name: "classes",
    width: size,
    height: size,
    bands: 1,
    sampleType: "uint8",
    transform,
    crs: null,
    nodata: null,
    bandInfo: [{ name: "band 1", interpretation: "gray" }],
    alphaBand: null,
    blockWidth: size,
    blockHeight: 1,
    overviews: [],
    colorTable: null,
    classNames: null,
    read: async (window) => {
      const { row, height } = window ?? { row: 0, height: size };
      return { data: data.subarray(row * size, (row + height) * size), bands: 1, height, width: size, mask: null, transform };
    },
    close: async () => undefined,
  };
}

/** The raster side by side and one below the other, its rows made when they are read. */
function repeated(raster: Raster, data: Uint8Array, side: number): Raster {
  const size = raster.width;
  const transform = [1, 0, 0, 0, -1, side] as const;
  return {
    ...raster,
    width: side,
    height: side,
    transform,
    blockWidth: side,
    async read(window) {
      const { row, height } = window ?? { row: 0, height: side };
      const rows = new Uint8Array(height * side);
      for (let y = 0; y < height; y++) {
        const from = ((row + y) % size) * size;
        for (let x = 0; x < side; x += size) rows.set(data.subarray(from, from + Math.min(size, side - x)), y * side + x);
      }
      return { data: rows, bands: 1, height, width: side, mask: null, transform };
    },
  };
}

async function write(raster: Raster, out: string): Promise<void> {
  const started = performance.now();
  const count = await writeFeatures(polygonize(raster), out, { crs: null, keepCrs: true });
  console.log(JSON.stringify({ seconds: (performance.now() - started) / 1000, count }));
}

async function main([command, sizeText, number, file, out]: readonly string[]): Promise<void> {
  const size = Number(sizeText);
  if (command === "make") {
    writeFileSync(file!, makeClasses(size, Number(number)));
    return;
  }
  if (command === "write") {
    const data = new Uint8Array(readFileSync(number!));
    return write(repeated(asRaster(data, size), data, Number(file)), out!);
  }
  const raster = asRaster(new Uint8Array(readFileSync(file!)), size);
  const started = performance.now();
  const { features } = await toPolygons(raster, { connectivity: number === "8" ? 8 : 4 });
  const seconds = (performance.now() - started) / 1000;
  const areas: Record<string, number> = {};
  for (const { properties } of features) {
    const value = String(properties["value"]);
    areas[value] = (areas[value] ?? 0) + Number(properties["area"]);
  }
  console.log(JSON.stringify({ seconds, count: features.length, areas }));
}

await main(process.argv.slice(2));
