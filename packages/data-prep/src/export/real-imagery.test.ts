import { execFileSync } from "node:child_process";
import { cpSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

import { createRng, createTransformer, type Feature, type Features, openRaster, parseCrs, readFeatures } from "@geolearn/core";
import { afterAll, describe, expect, it } from "vitest";

import { askPeer, Scratch, sharedData, withData, withPeers, writeRaster } from "../data-prep.testing.ts";
import { exportTrainingData } from "./export-training-data.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());

describe.skipIf(!withData || !withPeers)("real imagery against rasterio", () => {
  it("buildings in another reference system burn pixel for pixel", async () => {
    const folder = join(sharedData, "buildings-banepa");
    const out = scratch.path("banepa");
    const labels = join(folder, "buildings.geojson");
    const result = await exportTrainingData({ raster: join(folder, "image.tif"), labels, out, chipSize: 256, stride: 192 });
    expect(result.classes[0]?.name).toBe("building");
    const { features } = JSON.parse(readFileSync(labels, "utf8")) as { features: { geometry: unknown }[] };
    const shapes = features.map(({ geometry }) => ({ geometry, value: 1 }));
    const burnt = askPeer<{ wrong: number; pixels: number }>({ do: "burn", chips: out, shapes, crs: "EPSG:4326" });
    expect(burnt).toEqual({ wrong: 0, pixels: result.chips * 256 * 256, systems: [3857] });
    const images = askPeer<{ wrong: number; samples: number }>({
      do: "images",
      chips: out,
      raster: join(folder, "image.tif"),
      tolerance: 2,
    });
    expect(images.wrong).toBe(0);
  }, 120_000);

  it("all-touched, class values and overlapping polygons burn pixel for pixel", async () => {
    const folder = join(sharedData, "landcover-slovenia-s2");
    const out = scratch.path("slovenia");
    const labels = join(folder, "lulc.geojson");
    await exportTrainingData({
      raster: join(folder, "ndvi_dem.tif"),
      labels,
      out,
      chipSize: 32,
      classField: "LULC_ID",
      allTouched: true,
      workers: 0,
    });
    const read = await readFeatures(labels);
    const shapes = read.features.map(({ geometry, properties }) => ({ geometry, value: properties["LULC_ID"] }));
    const burnt = askPeer<{ wrong: number; pixels: number }>({ do: "burn", chips: out, shapes, crs: "EPSG:4326", all_touched: true });
    expect(burnt.wrong).toBe(0);
    expect(burnt.pixels).toBeGreaterThan(1000);
    const images = askPeer<{ wrong: number }>({ do: "images", chips: out, raster: join(folder, "ndvi_dem.tif"), tolerance: 0 });
    expect(images.wrong).toBe(0);
  });

  it("twelve int16 bands and a class raster without a position", async () => {
    const water = join(sharedData, "water-boadella-s2");
    const out = scratch.path("water");
    const result = await exportTrainingData({
      raster: join(water, "sentinel2_2020-02-02.tif"),
      labels: join(water, "water.geojson"),
      out,
      chipSize: 64,
      classField: "label",
      workers: 0,
    });
    expect(result).toMatchObject({ bands: 12, sampleType: "int16" });
    expect(result.classes.map(({ name }) => name)).toEqual(["water"]);
    const images = askPeer<{ wrong: number }>({ do: "images", chips: out, raster: join(water, "sentinel2_2020-02-02.tif"), tolerance: 0 });
    expect(images.wrong).toBe(0);

    const zurich = join(sharedData, "landcover-zurich-trees");
    const name = readdirSync(join(zurich, "img")).find((file) => file.endsWith(".tif"))!;
    const trees = await exportTrainingData({
      raster: join(zurich, "img", name),
      labels: join(zurich, "response", name),
      out: scratch.path("zurich"),
      chipSize: 64,
      workers: 0,
    });
    expect(trees.chips).toBeGreaterThan(1);
  });

  it("two UTM zones: labels across the border between them burn pixel for pixel in either", async () => {
    // 12 degrees east part the zones 32 and 33
    const places = [32632, 32633].map((epsg) => {
      const [x, y] = createTransformer(parseCrs(4326), parseCrs(epsg))(12, 47);
      return { epsg, transform: [2, 0, Math.floor(x) - 150, 0, -2, Math.ceil(y) + 150] as const };
    });
    const rasters = await Promise.all(
      places.map(({ epsg, transform }) =>
        writeRaster(
          scratch.path(`zone-${epsg}.tif`),
          { data: new Uint16Array(150 * 150).map((_, i) => (i * 37) % 4000), bands: 1, width: 150, height: 150 },
          { sampleType: "uint16", crs: parseCrs(epsg), transform },
        ),
      ),
    );
    const rng = createRng(3);
    const features: Feature[] = Array.from({ length: 25 }, (_, i) => {
      const [lon, lat] = [12 + (rng.next() - 0.5) * 0.004, 47 + (rng.next() - 0.5) * 0.003];
      const corners = Array.from({ length: 5 }, (__, k) => {
        const [angle, radius] = [(k * 2 * Math.PI) / 5, (0.3 + rng.next()) * 0.0003];
        return [lon + radius * Math.cos(angle), lat + radius * Math.sin(angle)];
      });
      return { geometry: { type: "Polygon", coordinates: [[...corners, corners[0]!]] }, properties: { kind: 1 + (i % 3) } };
    });
    const out = scratch.path("utm-zones");
    const labels: Features = { name: "across.geojson", crs: parseCrs(4326), features };
    const result = await exportTrainingData({ raster: rasters, labels, out, chipSize: 64, classField: "kind", workers: 0 });
    expect(result).toMatchObject({ sampleType: "uint16", bands: 1 });
    const shapes = features.map(({ geometry, properties }) => ({ geometry, value: properties["kind"] }));
    const burnt = askPeer<{ wrong: number; pixels: number; systems: number[] }>({ do: "burn", chips: out, shapes, crs: "EPSG:4326" });
    expect(burnt).toEqual({ wrong: 0, pixels: result.chips * 64 * 64, systems: [32632, 32633] });
  });

  it("rasters in different reference systems are cut each on its own grid", async () => {
    const zurich = join(sharedData, "landcover-zurich-trees", "img");
    const name = readdirSync(zurich).find((file) => file.endsWith(".tif"))!;
    const lonLat = scratch.path("lonlat.tif");
    const python = join(process.env["GEOLEARN_PEERS"] ?? join(sharedData, "../../.venv-peers"), "bin/python");
    execFileSync(python, [
      "-c",
      `
import sys, numpy as np, rasterio
from rasterio.warp import calculate_default_transform, reproject
with rasterio.open(sys.argv[1]) as s:
    t, w, h = calculate_default_transform(s.crs, "EPSG:32632", s.width, s.height, *s.bounds)
    d = np.zeros((s.count, h, w), s.dtypes[0])
    for b in range(s.count):
        reproject(rasterio.band(s, b + 1), d[b], dst_transform=t, dst_crs="EPSG:32632")
    with rasterio.open(sys.argv[2], "w", driver="GTiff", width=w, height=h, count=s.count, dtype=d.dtype, crs="EPSG:32632", transform=t) as o:
        o.write(d)
`,
      join(zurich, name),
      lonLat,
    ]);
    const raster = await openRaster(join(zurich, name));
    const [a, , c, , e, f] = raster.transform!;
    await raster.close();
    const ring = [
      [10, 10],
      [60, 10],
      [60, 50],
      [10, 50],
      [10, 10],
    ].map(([x, y]) => [c + x! * a, f + y! * e]);
    const labels: Features = {
      name: "parks.gpkg",
      crs: raster.crs,
      features: [{ geometry: { type: "Polygon", coordinates: [ring] }, properties: {} }],
    };
    const out = scratch.path("zones");
    const result = await exportTrainingData({ raster: [join(zurich, name), lonLat], labels, out, chipSize: 64, workers: 0 });
    const systems = new Set<number | null>();
    for (let i = 0; i < result.chips; i++) {
      const chip = await openRaster(join(out, `images/${String(i).padStart(9, "0")}.tif`));
      systems.add(chip.crs!.epsg);
      await chip.close();
    }
    expect(systems).toEqual(new Set([2056, 32632]));
    cpSync(out, scratch.path("zones-copy"), { recursive: true });
    rmSync(scratch.path("zones-copy"), { recursive: true });
  });
});
