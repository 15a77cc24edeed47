/**
 * Our side of the whole-scene benchmark, a program of its own so that its memory can be measured from outside. Prints one JSON line.
 *
 *     scene-program.ts make SIZE SEED scene.tif
 *     scene-program.ts package net.safetensors|random net.dlpk CHIP
 *     scene-program.ts classify net.dlpk scene.tif map.tif OVERLAP [workers] [threads]
 */

import { startEngine } from "@geolearn/engine";
import { classifyPixels } from "@geolearn/inference";
import { createUNet, readSafetensors, writeModelPackage } from "@geolearn/models";

import { makeScene } from "./make-scene.ts";

const [command, ...args] = process.argv.slice(2);

async function main(): Promise<void> {
  if (command === "make") await makeScene(args[2]!, Number(args[0]), Number(args[1]));
  else if (command === "package") await makePackage(args[0]!, args[1]!, Number(args[2]));
  else if (command === "classify") await classify();
  else throw new Error(`unknown command ${command}`);
}

async function makePackage(weightsPath: string, path: string, chip: number): Promise<void> {
  await startEngine({ threads: 1 });
  const weights = weightsPath === "random" ? {} : { weights: (await readSafetensors(weightsPath)).tensors };
  const normalization = { mean: [0, 0, 0], std: [255, 255, 255] };
  const network = createUNet({ bands: 3, classes: 2, base: 16, depth: 4, normalization }, { seed: 1, ...weights });
  await writeModelPackage(path, {
    manifest: {
      task: "pixelClassification",
      name: "benchmark",
      modelType: network.modelType,
      backbone: null,
      config: network.config,
      classes: [
        { value: 0, name: "background", color: [0, 0, 0] },
        { value: 1, name: "building", color: [230, 60, 40] },
      ],
      bandNames: ["red", "green", "blue"],
      bandIndices: [0, 1, 2],
      sampleType: "uint8",
      statistics: normalization.mean.map(() => ({ min: 0, max: 255, mean: 127, std: 60, count: 1 })),
      chipWidth: chip,
      chipHeight: chip,
      resolution: null,
      metrics: {},
      training: {},
    },
    weights: network.weights(),
  });
  network.dispose();
}

async function classify(): Promise<void> {
  const [model, raster, out, overlap, workers, threads] = args;
  const map = await classifyPixels(model!, raster!, {
    overlap: Number(overlap),
    out: out!,
    ...(workers === undefined ? {} : { workers: Number(workers) }),
    ...(threads === undefined ? {} : { threads: Number(threads) }),
  });
  console.log(JSON.stringify({ seconds: map.seconds, windows: map.windows, megapixelsPerSecond: map.megapixelsPerSecond }));
  await map.dispose();
}

await main();
