/** Chips of a scene with building labels: megapixels written per second, against a rasterio loop with the same codec. */

import { rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { join } from "node:path";

import { createRng, createTransformer, parseCrs } from "@geolearn/core";
import { exportTrainingData } from "@geolearn/data-prep";

import { alternate, type Benchmark, type BenchmarkRow, makeRow } from "./bench.ts";
import { makeScene } from "./make-scene.ts";
import { measureProcess } from "./measure.ts";

const CHIP = 256;
const STRIDE = 128;

/** The benchmarks of this file. */
export const benchmarks: readonly Benchmark[] = [
  {
    name: "chip-export",
    async run(context): Promise<readonly BenchmarkRow[]> {
      const size = context.quick ? 2048 : 4096;
      const runs = context.quick ? 2 : 5;
      const raster = join(context.scratch, "chip-export-scene.tif");
      const labels = join(context.scratch, "chip-export-labels.geojson");
      await makeScene(raster, size, 11);
      await writeLabels(labels, size);
      const rows: BenchmarkRow[] = [];
      for (const compression of ["deflate", "none"] as const) {
        context.log(`chips of ${size} x ${size} pixels, ${compression}`);
        const figures = await alternate(
          runs,
          async () => ours(context.scratch, raster, labels, compression),
          context.python === null ? null : async () => peer(context.python!, context.scratch, raster, labels, compression),
        );
        rows.push(
          makeRow({
            name: `chip-export-${compression}`,
            ours: figures.ours,
            peer: figures.peer,
            peerName: "rasterio loop",
            unit: "MP/s",
            atLeast: 1,
            conditions: { size, bands: 3, chip: CHIP, stride: STRIDE, compression, level: compression === "none" ? 0 : 6 },
          }),
        );
      }
      return rows;
    },
  },
];

async function ours(scratch: string, raster: string, labels: string, compression: "deflate" | "none"): Promise<number> {
  const out = join(scratch, "chip-export-ours");
  const { megapixels, seconds } = await exportTrainingData({ raster, labels, out, chipSize: CHIP, stride: STRIDE, compression, level: 6 });
  await rm(out, { recursive: true });
  return megapixels / seconds;
}

async function peer(python: string, scratch: string, raster: string, labels: string, compression: string): Promise<number> {
  const out = join(scratch, "chip-export-peer");
  const script = fileURLToPath(new URL("peers/chip_export.py", import.meta.url));
  const args = [
    "--raster",
    raster,
    "--labels",
    labels,
    "--out",
    out,
    "--compress",
    compression,
    "--chip",
    String(CHIP),
    "--stride",
    String(STRIDE),
  ];
  const { code, stdout, stderr } = await measureProcess(python, [script, ...args]);
  if (code !== 0) throw new Error(`chip_export.py ended with ${code}: ${stderr}`);
  await rm(out, { recursive: true });
  return (JSON.parse(stdout) as { megapixelsPerSecond: number }).megapixelsPerSecond;
}

/** Rectangles a few metres long, spread over the scene of {@link makeScene}, as GeoJSON in longitude and latitude. */
async function writeLabels(path: string, size: number): Promise<void> {
  const rng = createRng(5);
  const toDegrees = createTransformer(parseCrs(32633), parseCrs(4326));
  const features = Array.from({ length: Math.round((size * size) / 8000) }, () => {
    const [x, y] = [300_000 + rng.next() * size * 0.5, 5_000_000 - rng.next() * size * 0.5];
    const [width, height, angle] = [5 + rng.next() * 15, 5 + rng.next() * 15, rng.next() * Math.PI];
    const corner = (u: number, v: number): number[] =>
      toDegrees(
        x + u * width * Math.cos(angle) - v * height * Math.sin(angle),
        y + u * width * Math.sin(angle) + v * height * Math.cos(angle),
      );
    return {
      type: "Feature",
      properties: {},
      geometry: { type: "Polygon", coordinates: [[corner(0, 0), corner(1, 0), corner(1, 1), corner(0, 1), corner(0, 0)]] },
    };
  });
  await writeFile(path, JSON.stringify({ type: "FeatureCollection", features }));
}
