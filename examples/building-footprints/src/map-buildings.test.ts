/** The example runs on real imagery. */

import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { mapBuildings } from "./map-buildings.ts";

const scene = resolve(import.meta.dirname, "../../../../shared/data/buildings-banepa");

test.skipIf(!existsSync(scene))("maps a corner of a real town (skipped where the real data is absent)", { timeout: 300_000 }, async () => {
  const out = mkdtempSync(join(tmpdir(), "geolearn-example-"));
  try {
    const summary = await mapBuildings({
      raster: join(scene, "image.tif"),
      labels: join(scene, "buildings.geojson"),
      out,
      epochs: 1,
      smoke: true,
    });
    expect(summary.footprints).toBeGreaterThan(0);
    for (const file of ["batch.png", "buildings.dlpk", "report.html", "results.png", "map.tif", "footprints.gpkg"]) {
      expect(statSync(join(out, file)).size).toBeGreaterThan(0);
    }
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
});
