/** A program that a test kills: classifies a small scene slowly and prints a line for each progress report. */

import { runInference } from "../run/run-inference.ts";
import { memoryRaster, pixelOf, testFunction } from "./rasters.ts";

const value = (band: number, row: number, col: number): number => (Math.imul(row * 31 + col * 17 + band * 7, 2654435761) >>> 24) & 255;

const fn = testFunction({
  fingerprint: "1",
  concurrency: 2,
  batchSize: 2,
  score: (block, image, row, col, band) =>
    band === 1 ? Math.sin(pixelOf(block, image, Math.max(0, row - 5), Math.max(0, col - 3), 0)) + row / 50 : 0.2,
  onProcess: () => new Promise((resolve) => setTimeout(resolve, 3)),
});

await runInference(fn, memoryRaster({ width: 210, height: 250, value }), {
  out: process.argv[2]!,
  scores: true,
  onProgress: ({ done }) => process.stdout.write(`${done}\n`),
});
