/** A small made-up scene with its labels and a model for it, for tests: fields, roofs and a lake. */

import { type Raster, createRng, encodeGeoTiff, openRaster, parseCrs } from "@geolearn/core";
import { type ModelManifest, createUNet, encodeModelPackage, readModelPackage } from "@geolearn/models";

import { trainSteps } from "./train.ts";

/** The classes of the made-up land. */
export const CLASSES = [
  { value: 0, name: "field", color: [104, 159, 56] },
  { value: 3, name: "building", color: [211, 84, 60] },
  { value: 9, name: "water", color: [66, 133, 204] },
] as const;

/** Bytes of a scene and of its labels. */
export interface Land {
  readonly scene: Uint8Array;
  readonly labels: Uint8Array;
}

const colors: Readonly<Record<number, readonly [number, number, number]>> = { 0: [104, 132, 74], 3: [178, 104, 84], 9: [48, 78, 112] };

/** Makes a scene; another seed is another one. */
export async function makeLand(width: number, height: number, seed: number): Promise<Land> {
  const rng = createRng(seed);
  const labels = new Uint8Array(width * height);
  const [lakeX, lakeY, lakeR] = [width * (0.2 + 0.6 * rng.next()), height * (0.2 + 0.6 * rng.next()), 0.18 * Math.min(width, height)];
  for (let row = 0; row < height; row++) {
    for (let col = 0; col < width; col++) {
      const angle = Math.atan2(row - lakeY, col - lakeX);
      const radius = lakeR * (1 + 0.25 * Math.sin(3 * angle + seed));
      if (Math.hypot(col - lakeX, row - lakeY) < radius) labels[row * width + col] = 9;
    }
  }
  for (let i = 0; i < (width * height) / 1500; i++) {
    const [w, h] = [8 + rng.int(10), 8 + rng.int(10)];
    const [left, top] = [rng.int(width - w), rng.int(height - h)];
    for (let row = top; row < top + h; row++) {
      for (let col = left; col < left + w; col++) if (labels[row * width + col] !== 9) labels[row * width + col] = 3;
    }
  }
  const data = new Uint8Array(3 * width * height);
  for (let p = 0; p < width * height; p++) {
    const stripe = labels[p] === 0 ? 12 * Math.sin(((p % width) + Math.floor(p / width)) / 5) : 0;
    const light = 10 * rng.normal();
    for (let band = 0; band < 3; band++) {
      const value = colors[labels[p]!]![band]! + stripe + light + 5 * rng.normal();
      data[band * width * height + p] = Math.min(255, Math.max(0, Math.round(value)));
    }
  }
  const place = { sampleType: "uint8", transform: [0.5, 0, 412_000, 0, -0.5, 5_317_000], crs: parseCrs(32633) } as const;
  return {
    scene: await encodeGeoTiff({ data, bands: 3, width, height }, place),
    labels: await encodeGeoTiff({ data: labels, bands: 1, width, height }, { ...place, classNames: new Map() }),
  };
}

/** A small U-Net trained for a while on one made-up scene, as the bytes of a package. Needs a running engine. */
export async function makeModel(steps: number): Promise<Uint8Array> {
  const size = 64;
  const statistics = [110, 105, 90].map((mean) => ({ min: 0, max: 255, mean, std: 40, count: 1e5 }));
  const normalization = { mean: statistics.map(({ mean }) => mean), std: statistics.map(({ std }) => std) };
  const network = createUNet({ bands: 3, classes: CLASSES.length, base: 8, depth: 2, normalization }, { seed: 4 });
  const manifest: ModelManifest = {
    ...{ task: "pixelClassification", name: "made-up land", modelType: "unet", backbone: null, config: network.config, classes: CLASSES },
    ...{ bandNames: ["red", "green", "blue"], bandIndices: [0, 1, 2], sampleType: "uint8", statistics },
    ...{ chipWidth: size, chipHeight: size, resolution: 0.5, metrics: {}, training: {} },
  };
  const untrained = await readModelPackage(await encodeModelPackage({ manifest, weights: network.weights() }));
  network.dispose();
  const land = await makeLand(256, 256, 1);
  const { weights } = await trainSteps(untrained, await open(land.scene), await open(land.labels), { steps, learningRate: 3e-3 });
  return encodeModelPackage({ manifest, weights });
}

const open = (bytes: Uint8Array): Promise<Raster> => openRaster(bytes);
