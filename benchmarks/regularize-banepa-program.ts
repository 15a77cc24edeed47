/**
 * Trains a U-Net on the upper three quarters of the Banepa scene, maps the rest, and writes its buildings as they are and regularized:
 *
 *     regularize-banepa-program.ts DATA OUT EPOCHS quick|full       prints {extent, files: {raw, rightAngles, ...}}
 */

import { join } from "node:path";

import { openRaster } from "@geolearn/core";
import { UNet, exportTrainingData, fromModel, prepareData } from "geolearn";

const [folder, out, epochs, size] = process.argv.slice(2) as [string, string, string, string];
const scene = join(folder, "image.tif");
const raster = await openRaster(scene);
await raster.close();
const [a, , c, , e, f] = raster.transform!;
const rows = (from: number, to: number): [number, number, number, number] => [c, f + e * to, c + a * raster.width, f + e * from];
const border = (raster.height * 3) / 4;
const extent = rows(border, raster.height);

const chips = join(out, "chips");
const stride = 256;
await exportTrainingData({
  ...{ raster: scene, labels: join(folder, "buildings.geojson"), out: chips, classes: [{ value: 1, name: "building" }] },
  ...{ chipSize: 256, stride, extent: rows(0, border), overwrite: true },
});
const data = await prepareData(chips, { task: "pixelClassification", batchSize: 8, seed: 7 });
const unet = await UNet.create(data, { base: size === "quick" ? 4 : 16, depth: size === "quick" ? 2 : 4, seed: 7 });
await unet.fit({ epochs: Number(epochs), lr: 2e-3, onProgress: () => undefined });
await unet.save(join(out, "buildings.dlpk"));
await unet.dispose();
await data.close();

const model = await fromModel(join(out, "buildings.dlpk"), { task: "pixelClassification" });
const map = await model.classifyPixels(scene, { extent, out: join(out, "map.tif") });
const raw = await map.toPolygons({ classes: ["building"], minArea: 8 });
const files: Record<string, string> = { raw: join(out, "raw.gpkg") };
await raw.save(files["raw"]!);
for (const method of ["rightAngles", "rightAnglesAndDiagonals", "anyAngles"] as const) {
  files[method] = join(out, `${method}.gpkg`);
  await raw.regularize({ method, tolerance: 1 }).save(files[method]);
}
console.log(JSON.stringify({ extent, files }));
