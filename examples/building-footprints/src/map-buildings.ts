/** The steps of the example, one after another. */

import { join } from "node:path";
import { type OnProgress, UNet, exportTrainingData, fromModel, openRaster, prepareData } from "geolearn";

/** What to map, and how thoroughly. */
export interface MapBuildingsOptions {
  readonly raster: string;
  readonly labels: string;
  readonly mask?: string;
  readonly out: string;
  readonly epochs: number;
  /** A tiny network, one epoch, a corner of the scene. */
  readonly smoke: boolean;
  readonly onProgress?: OnProgress;
}

/** What came out. */
export interface MapBuildingsSummary {
  readonly buildingIou: number | null;
  readonly footprints: number;
}

/** Chips, training, map, polygons. */
export async function mapBuildings({
  raster,
  labels,
  mask,
  out,
  epochs,
  smoke,
  onProgress,
}: MapBuildingsOptions): Promise<MapBuildingsSummary> {
  const work = onProgress ? { onProgress } : {};
  const corner = smoke ? { extent: await cornerOf(raster, 768) } : {};
  const chipSize = smoke ? 128 : 256;

  // 1. Chips. Labels are burnt at pixel centres; land outside `mask` is ignored.
  const chips = join(out, "chips");
  await exportTrainingData({
    raster,
    labels,
    ...(mask === undefined ? {} : { mask }),
    out: chips,
    chipSize,
    stride: chipSize / 2,
    classes: [{ value: 1, name: "building" }],
    overwrite: true,
    ...corner,
    ...work,
  });

  // 2. Data, split by place. Look at batch.png before training.
  const data = await prepareData(chips, { task: "pixelClassification", batchSize: smoke ? 2 : 8, seed: 7, ...work });
  await data.showBatch(join(out, "batch.png"));

  // 3. A U-Net.
  const unet = await UNet.create(data, { name: "buildings", base: smoke ? 4 : 16, depth: smoke ? 2 : 4 });
  await unet.fit({ epochs: smoke ? 1 : epochs, lr: 2e-3, ...work });
  const metrics = await unet.evaluate();
  await unet.save(join(out, "buildings.dlpk"));
  await unet.report(join(out, "report.html"));
  await unet.showResults(join(out, "results.png"));
  await unet.dispose();
  await data.close();

  // 4. The map of the whole scene, and its buildings with straight walls.
  const model = await fromModel(join(out, "buildings.dlpk"), { task: "pixelClassification" });
  const map = await model.classifyPixels(raster, { out: join(out, "map.tif"), ...corner, ...work });
  const outlines = await map.toPolygons({ classes: ["building"], minArea: 8, ...work });
  const footprints = outlines.regularize({ method: "rightAngles", tolerance: 1, ...work });
  await footprints.save(join(out, "footprints.gpkg"));
  return { buildingIou: metrics.classes.find(({ name }) => name === "building")?.iou ?? null, footprints: footprints.count };
}

/** World bounds of the upper left corner of a raster. */
async function cornerOf(path: string, pixels: number): Promise<[number, number, number, number]> {
  const raster = await openRaster(path);
  await raster.close();
  const [a, , c, , e, f] = raster.transform!;
  const xs = [c, c + a * pixels];
  const ys = [f, f + e * pixels];
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}
