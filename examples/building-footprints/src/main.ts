/** Building footprints from a raster and building outlines. See README.md. */

import { join } from "node:path";
import { parseArgs } from "node:util";
import { terminalProgress } from "geolearn";
import { mapBuildings } from "./map-buildings.ts";

const { values } = parseArgs({
  options: {
    raster: { type: "string" },
    labels: { type: "string" },
    mask: { type: "string" },
    out: { type: "string", default: "footprints-output" },
    epochs: { type: "string", default: "12" },
    smoke: { type: "boolean", default: false },
  },
});
if (values.raster === undefined || values.labels === undefined) {
  console.error("Usage: start --raster scene.tif --labels buildings.geojson [--mask surveyed.gpkg] [--out folder] [--epochs n] [--smoke]");
  process.exit(2);
}
const bar = terminalProgress();
const summary = await mapBuildings({
  raster: values.raster,
  labels: values.labels,
  ...(values.mask === undefined ? {} : { mask: values.mask }),
  out: values.out,
  epochs: Number(values.epochs),
  smoke: values.smoke,
  onProgress: bar.onProgress,
});
bar.end();
console.log(`building IoU on validation chips: ${summary.buildingIou?.toFixed(3) ?? "unknown"}`);
console.log(`${summary.footprints} footprints in ${join(values.out, "footprints.gpkg")}`);
