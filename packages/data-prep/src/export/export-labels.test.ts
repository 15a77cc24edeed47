import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { type Features, parseCrs } from "@geolearn/core";
import { afterAll, describe, expect, it } from "vitest";

import { askPeer, GRID, labelsOf, Scratch, square, withPeers, writeRaster } from "../data-prep.testing.ts";
import { prepareData } from "../prepare-data.ts";
import { exportTrainingData } from "./export-training-data.ts";
import { houses, readPixels, scene } from "./export.testing.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());

describe("labels", () => {
  it("later features lie over earlier ones, and class gaps are kept", async () => {
    const labels = labelsOf([square(0, 0, 10, 10, { kind: 7 }), square(5, 0, 10, 10, { kind: 200 })]);
    const out = scratch.path("order");
    const result = await exportTrainingData({
      raster: await scene(scratch.path("order.tif")),
      labels,
      out,
      chipSize: 16,
      classField: "kind",
      workers: 0,
    });
    const { data } = await readPixels(join(out, "labels/000000000.tif"));
    expect(data.slice(0, 16)).toEqual([7, 7, 7, 7, 7, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 0]);
    expect(result.classes.map(({ value }) => value)).toEqual([7, 200]);
  });

  it("are 8 bits wide with the ignore value beside the classes, 16 bits where needed", async () => {
    const raster = await scene(scratch.path("types.tif"));
    const types: [number[], string, number][] = [
      [[255], "uint8", 254],
      [[300, 2], "uint16", 65535],
      [Array.from({ length: 255 }, (_, i) => i + 1), "uint16", 65535],
    ];
    for (const [i, [values, sampleType, ignore]] of types.entries()) {
      const labels = labelsOf(values.map((value) => square(1, 1, 8, 8, { classvalue: value, classname: `c${value}` })));
      const out = scratch.path(`types-${i}`);
      const result = await exportTrainingData({ raster, labels, out, chipSize: 16, workers: 0 });
      const label = await readPixels(join(out, "labels/000000000.tif"));
      expect([label.sampleType, label.nodata, result.ignoreValue]).toEqual([sampleType, ignore, ignore]);
      expect(result.classes.find(({ value }) => value === values[0])?.name).toBe(`c${values[0]}`);
    }
  });

  it("say nothing outside the mask and where the image has no data", async () => {
    const raster = await scene(scratch.path("mask.tif"), 0);
    const out = scratch.path("mask");
    await exportTrainingData({
      raster,
      labels: houses,
      mask: labelsOf([square(0, 0, 16, 96)], "mask"),
      out,
      chipSize: 32,
      stride: 32,
      workers: 0,
    });
    const { data } = await readPixels(join(out, "labels/000000000.tif"));
    expect(data.slice(5 * 32, 5 * 32 + 18)).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 255, 255]);
    // the first pixel of the scene is 0 in all bands, which is its nodata
    expect(data[0]).toBe(255);
    // windows outside the mask give no chip
    expect(readdirSync(join(out, "images")).filter((name) => name.endsWith(".tif"))).toHaveLength(1);
  });

  it("say nothing where every band is NaN or infinite; a sample missing in one band is filled in for the network", async () => {
    const [width, height] = [32, 32];
    const plane = width * height;
    const data = Float32Array.from({ length: 2 * plane }, (_, i) => i % 97);
    const bad = [
      [5 * width + 6, NaN, NaN],
      [6 * width + 7, Infinity, NaN],
      [7 * width + 8, -Infinity, Infinity],
      [20 * width + 30, NaN, -Infinity],
    ] as const;
    for (const [pixel, ...values] of bad) for (const band of [0, 1]) data[band * plane + pixel] = values[band]!;
    const [half, value] = [8 * width + 9, data[8 * width + 9]!];
    data[plane + half] = NaN;
    const raster = await writeRaster(scratch.path("holes.tif"), { data, bands: 2, width, height }, { sampleType: "float32" });
    const out = scratch.path("holes");
    await exportTrainingData({ raster, labels: houses, out, chipSize: 32, workers: 0 });
    const labels = await readPixels(join(out, "labels/000000000.tif"));
    expect(labels.nodata).toBe(255);
    // the first house covers columns 4 to 23 and rows 4 to 15
    const expected = Array.from({ length: plane }, (_, i): number => {
      const [row, col] = [Math.floor(i / width), i % width];
      return col >= 4 && col < 24 && row >= 4 && row < 16 ? 1 : 0;
    });
    for (const [pixel] of bad) expected[pixel] = 255;
    expect(labels.data).toEqual(expected);
    const stats = JSON.parse(readFileSync(join(out, "esri_model_definition.emd"), "utf8")) as {
      AllTilesStats: { Min: number; Max: number; Mean: number }[];
    };
    for (const [band, { Min, Max, Mean }] of stats.AllTilesStats.entries()) {
      const valid = Array.from(data.subarray(band * plane, (band + 1) * plane)).filter(Number.isFinite);
      expect(valid).toHaveLength(plane - bad.length - band);
      expect([Min, Max]).toEqual([Math.min(...valid), Math.max(...valid)]);
      expect(Mean).toBeCloseTo(valid.reduce((sum, value) => sum + value, 0) / valid.length, 9);
    }
    const prepared = await prepareData(out, { task: "pixelClassification", workers: 0, valSplit: 0, augment: false, batchSize: 1 });
    for await (const { images, targets } of prepared.train.read()) {
      expect(images.every(Number.isFinite)).toBe(true);
      expect([images[half * 2], images[half * 2 + 1]]).toEqual([value, Math.fround(prepared.statistics[1]!.mean)]);
      expect(Array.from(targets)).toEqual(expected.map((value) => (value === 255 ? -1 : value)));
    }
    await prepared.close();
  });

  it("names from a text field get values in alphabetical order", async () => {
    const labels = labelsOf([square(0, 0, 5, 5, { type: "water" }), square(8, 0, 5, 5, { type: "forest" })]);
    const result = await exportTrainingData({
      raster: await scene(scratch.path("names.tif")),
      labels,
      out: scratch.path("names"),
      chipSize: 16,
      classField: "type",
      classes: [{ value: 9, name: "water", color: [1, 2, 3] }],
      workers: 0,
    });
    expect(result.classes.map(({ value, name }) => [value, name])).toEqual([
      [1, "forest"],
      [9, "water"],
    ]);
  });

  it("of polygons cut short by the chip are ignored there", async () => {
    const out = scratch.path("overlap");
    const labels = labelsOf([square(10, 0, 20, 10), square(1, 1, 4, 4)]);
    await exportTrainingData({
      raster: await scene(scratch.path("short.tif")),
      labels,
      out,
      chipSize: 16,
      stride: 16,
      minOverlap: 0.5,
      workers: 0,
    });
    const first = await readPixels(join(out, "labels/000000000.tif"));
    // 6 of 20 columns lie in the first chip, 14 in the second
    expect(first.data.slice(16, 32)).toEqual([0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255]);
    const second = await readPixels(join(out, "labels/000000001.tif"));
    expect(second.data.slice(16, 32)).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0]);
  });

  it("points become discs of metres on the ground", async () => {
    const labels: Features = {
      name: "wells.geojson",
      crs: parseCrs(32633),
      features: [{ geometry: { type: "Point", coordinates: [500_016.5, 4_999_983.5] }, properties: {} }],
    };
    const out = scratch.path("points");
    const raster = await scene(scratch.path("points.tif"));
    await exportTrainingData({ raster, labels, out, chipSize: 32, bufferRadius: 5, workers: 0 });
    const { data } = await readPixels(join(out, "labels/000000000.tif"));
    const burnt = data.filter((value) => value === 1).length;
    // scale factor 0.9996: 5 m on the ground are 4.998 map units
    expect(burnt).toBe(69); // centres nearer than 4.998
    if (withPeers) {
      const peer = askPeer<{ pixels: number[] }>({
        do: "buffer",
        geometry: labels.features[0]!.geometry,
        radius: 5 * 0.9996,
        shape: [32, 32],
        transform: GRID,
      });
      expect(data.flatMap((value, i) => (value === 1 ? [i] : []))).toEqual(peer.pixels);
    }
  });

  it("lines become strips like shapely's buffer", async () => {
    const geometry = {
      type: "LineString" as const,
      coordinates: [
        [500_003.2, 4_999_995.1],
        [500_020.7, 4_999_985.3],
        [500_022.4, 4_999_970.8],
      ],
    };
    const labels: Features = { name: "roads.geojson", crs: parseCrs(32633), features: [{ geometry, properties: {} }] };
    const out = scratch.path("lines");
    await exportTrainingData({
      raster: await scene(scratch.path("lines.tif")),
      labels,
      out,
      chipSize: 32,
      bufferRadius: "3 crs",
      workers: 0,
    });
    if (!withPeers) return;
    const { data } = await readPixels(join(out, "labels/000000000.tif"));
    const peer = askPeer<{ pixels: number[] }>({ do: "buffer", geometry, radius: 3, shape: [32, 32], transform: GRID });
    expect(data.flatMap((value, i) => (value === 1 ? [i] : []))).toEqual(peer.pixels);
  });

  it("from a class raster keep its values, names and nodata", async () => {
    const data = new Uint8Array(96 * 80).map((_, i) => (i % 96 < 10 ? 4 : i % 96 < 20 ? 9 : i % 96 < 25 ? 99 : 0));
    const labels = await writeRaster(
      scratch.path("classes.tif"),
      { data, bands: 1, width: 96, height: 80 },
      {
        sampleType: "uint8",
        nodata: 99,
        classNames: new Map([
          [4, "wood"],
          [9, "lake"],
        ]),
      },
    );
    const out = scratch.path("class-raster");
    const result = await exportTrainingData({ raster: await scene(scratch.path("cr.tif")), labels, out, chipSize: 32, workers: 0 });
    expect(result.classes.map(({ value, name }) => [value, name])).toEqual([
      [4, "wood"],
      [9, "lake"],
    ]);
    const chip = await readPixels(join(out, "labels/000000000.tif"));
    expect([chip.data[0], chip.data[12], chip.data[22], chip.data[30]]).toEqual([4, 9, 255, 0]);
  });
});
