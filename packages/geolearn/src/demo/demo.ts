/** The whole main job on a made-up town: chips, training, map, polygons, report, in a few minutes. */

import { join } from "node:path";
import {
  type ClassDefinition,
  Figure,
  type PixelMetrics,
  type Raster,
  type RgbaImage,
  type Window,
  type WorkOptions,
  countPixels,
  createConfusionMatrix,
  encodePng,
  openRaster,
  overlayClasses,
  pixelMetrics,
  rasterize,
  readFeatures,
  renderBands,
  windowTransform,
  makeFolder,
} from "@geolearn/core";
import { exportTrainingData, prepareData } from "@geolearn/data-prep";
import type { EpochRecord } from "@geolearn/training";
import { fromModel } from "../from-model.ts";
import { UNet } from "../architectures.ts";
import { colourBaselineIou } from "./colour-baseline.ts";
import { type SampleTown, writeSampleTown } from "./sample-town.ts";

/** Options of {@link runDemo}. */
export interface DemoOptions extends WorkOptions {
  /** Folder for everything the demo makes. @defaultValue "demo-output" */
  readonly out?: string;
  /** Decides town and training. @defaultValue 7 */
  readonly seed?: number;
  /** @defaultValue 20 */
  readonly epochs?: number;
  /** Size of the town, pixels. @defaultValue 1536 x 1024 */
  readonly size?: { readonly width: number; readonly height: number };
}

/** What the demo reached, on the eastern quarter of the town, which training never saw. */
export interface DemoResult {
  readonly out: string;
  /** Building IoU of the network. */
  readonly buildingIou: number;
  /** Building IoU of the best rule that looks at the colour of a pixel alone. */
  readonly colourOnlyIou: number;
  readonly metrics: PixelMetrics;
  readonly epochs: readonly EpochRecord[];
  readonly polygons: number;
  readonly seconds: number;
  /** Everything written, relative to `out`. */
  readonly files: readonly string[];
}

const CHIP = 128;

/**
 * Runs the demo. Deterministic on one machine; needs no network and no data.
 *
 * @example
 * const { buildingIou, colourOnlyIou } = await runDemo({ out: "demo-output" });
 */
export async function runDemo({ out = "demo-output", seed = 7, epochs = 20, size, ...work }: DemoOptions = {}): Promise<DemoResult> {
  const started = performance.now();
  await makeFolder(out);
  const town = await writeSampleTown(out, { seed, ...size });
  const chips = join(out, "chips");
  await exportTrainingData({
    raster: town.raster,
    labels: town.labels,
    extent: town.trainExtent,
    out: chips,
    chipSize: CHIP,
    stride: CHIP / 2,
    allTiles: true,
    overwrite: true,
    classes: [{ value: 1, name: "building" }],
    ...work,
  });
  const data = await prepareData(chips, { task: "pixelClassification", batchSize: 8, valSplit: 0.15, seed, ...work });
  await data.showBatch(join(out, "batch.png"));
  const unet = await UNet.create(data, { base: 12, depth: 3, name: "town-buildings" });
  try {
    const { epochs: records } = await unet.fit({ epochs, lr: 3e-3, ...work });
    await unet.save(join(out, "buildings.dlpk"));
    await unet.report(join(out, "report.html"));

    const model = await fromModel(join(out, "buildings.dlpk"), { task: "pixelClassification" });
    const map = await model.classifyPixels(town.raster, { ...work, out: join(out, "map.tif") });
    const footprints = await map.toPolygons({ ...work, classes: ["building"], minArea: 10 });
    await footprints.save(join(out, "footprints.gpkg"));

    const judged = await judge(town, join(out, "map.tif"), data.classes);
    await new Figure("Town", { png: encodePng(judged.scene) }).save(join(out, "scene.png"));
    await new Figure("Predicted buildings", { png: encodePng(judged.overlay) }).save(join(out, "map.png"));
    return {
      out,
      buildingIou: judged.metrics.classes.find(({ name }) => name === "building")?.iou ?? 0,
      colourOnlyIou: judged.colourOnlyIou,
      metrics: judged.metrics,
      epochs: records,
      polygons: footprints.count,
      seconds: (performance.now() - started) / 1000,
      files: [
        "town.tif",
        "buildings.gpkg",
        "chips/",
        "batch.png",
        "buildings.dlpk",
        "report.html",
        "map.tif",
        "footprints.gpkg",
        "scene.png",
        "map.png",
      ],
    };
  } finally {
    await unet.dispose();
    await data.close();
  }
}

interface Judged {
  readonly metrics: PixelMetrics;
  readonly colourOnlyIou: number;
  readonly scene: RgbaImage;
  readonly overlay: RgbaImage;
}

/** Compares map and truth on the part that was not trained on. */
async function judge(town: SampleTown, mapPath: string, classes: readonly ClassDefinition[]): Promise<Judged> {
  const scene = await openRaster(town.raster);
  const map = await openRaster(mapPath);
  try {
    const { width, height } = scene;
    const west: Window = { col: 0, row: 0, width: town.testColumn, height };
    const east: Window = { col: town.testColumn, row: 0, width: width - town.testColumn, height };
    const train = { pixels: await pixelsOf(scene, west), truth: await truthOf(town, scene, west) };
    const test = { pixels: await pixelsOf(scene, east), truth: await truthOf(town, scene, east) };
    const predicted = (await map.read(east)).data;
    const indexOf = new Map(classes.map(({ value }, index) => [value, index]));
    const matrix = createConfusionMatrix(classes.length);
    countPixels(
      matrix,
      Int32Array.from(test.truth, (value) => indexOf.get(value) ?? -1),
      Int32Array.from(predicted, (value) => indexOf.get(value) ?? -1),
    );
    const image = renderBands(await scene.read(), { bands: [0, 1, 2] });
    const building = classes.find(({ name }) => name === "building")!;
    const all = await map.read();
    return {
      metrics: pixelMetrics(matrix, classes),
      colourOnlyIou: colourBaselineIou(train, test),
      scene: image,
      overlay: overlayClasses(
        image,
        Int32Array.from(all.data, (value) => (value === building.value ? 0 : -1)),
        [building],
      ),
    };
  } finally {
    await scene.close();
    await map.close();
  }
}

async function pixelsOf(scene: Raster, window: Window): Promise<Uint8Array> {
  return Uint8Array.from((await scene.read(window)).data);
}

async function truthOf(town: SampleTown, scene: Raster, { col, row, width, height }: Window): Promise<Uint8Array> {
  const { features } = await readFeatures(town.labels);
  const shapes = features.flatMap(({ geometry }) => (geometry ? [{ geometry, value: 1 }] : []));
  return Uint8Array.from(rasterize(shapes, { width, height, transform: windowTransform(scene.transform!, col, row) }));
}
