import { execFileSync, spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";

import {
  type Affine,
  createRng,
  createTransformer,
  type Feature,
  type Features,
  lockFolder,
  openRaster,
  parseCrs,
  readFeatures,
  type Warning,
  writeFeatures,
} from "@geolearn/core";
import { afterAll, describe, expect, it } from "vitest";

import {
  askPeer,
  codeOf,
  digests,
  GRID,
  labelsOf,
  Scratch,
  sharedData,
  square,
  withData,
  withPeers,
  writeRaster,
} from "../data-prep.testing.ts";
import { prepareData } from "../prepare-data.ts";
import { exportTrainingData } from "./export-training-data.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());

/** 96 x 80 pixels, three bands that tell their position. */
async function scene(name: string, nodata: number | null = null): Promise<string> {
  const [width, height] = [96, 80];
  const data = new Uint8Array(3 * width * height);
  for (let i = 0; i < width * height; i++) {
    data[i] = i % width;
    data[width * height + i] = Math.floor(i / width);
    data[2 * width * height + i] = (i * 7) % 251;
  }
  return writeRaster(scratch.path(name), { data, bands: 3, width, height }, { sampleType: "uint8", nodata });
}

const houses = labelsOf([square(4, 4, 20, 12), square(40, 30, 25, 30), square(45.5, 35.5, 40, 10)]);

async function read(path: string): Promise<{ data: number[]; nodata: number | null; sampleType: string }> {
  const raster = await openRaster(path);
  const { data } = await raster.read();
  await raster.close();
  return { data: Array.from(data), nodata: raster.nodata, sampleType: raster.sampleType };
}

it("rasters that the caller has opened stay open", async () => {
  const raster = await openRaster(await scene("lent.tif"));
  const classes = await writeRaster(
    scratch.path("lent-classes.tif"),
    { data: new Uint8Array(96 * 80).map((_, i) => (i % 96 < 48 ? 1 : 2)), bands: 1, width: 96, height: 80 },
    { sampleType: "uint8", nodata: null },
  );
  const mask = await openRaster(classes);
  for (const [i, cellSize] of [undefined, 2].entries()) {
    const out = scratch.path(`lent-${i}`);
    await exportTrainingData({ raster, labels: mask, out, chipSize: 32, stride: 32, ...(cellSize !== undefined && { cellSize }) });
  }
  expect((await raster.read({ col: 0, row: 0, width: 2, height: 1 })).data.length).toBe(6);
  expect((await mask.read({ col: 0, row: 0, width: 2, height: 1 })).data.length).toBe(2);
  await Promise.all([raster, mask].map((one) => one.close()));
});

describe("the folder", () => {
  it("has Esri's files, keys and row form", async () => {
    const out = scratch.path("folder");
    const result = await exportTrainingData({ raster: await scene("a.tif"), labels: houses, out, chipSize: 32, stride: 32, workers: 0 });
    expect(readdirSync(out).sort()).toEqual([
      "esri_accumulated_stats.json",
      "esri_model_definition.emd",
      "images",
      "labels",
      "map.txt",
      "stats.txt",
    ]);
    expect(result.classes).toEqual([expect.objectContaining({ value: 1, name: "building" })]);
    const map = readFileSync(join(out, "map.txt"), "latin1");
    expect(map.split("\n")[0]).toBe("images\\000000000.tif  labels\\000000000.tif ");
    expect(map.trimEnd().split("\n")).toHaveLength(result.chips);
    expect(readFileSync(join(out, "images/000000000.tfw"), "latin1")).toBe("1.0\n0.0\n0.0\n-1.0\n500000.5\n4999999.5\n");
    const definition = JSON.parse(readFileSync(join(out, "esri_model_definition.emd"), "utf8")) as Record<string, unknown>;
    expect(definition).toMatchObject({
      ImageHeight: 32,
      ImageWidth: 32,
      MetaDataMode: "Classified_Tiles",
      ImageSpaceUsed: "MAP_SPACE",
      IsMultidimensional: false,
      MinCellSize: { x: 1, y: 1, spatialReference: { wkid: 32633, latestWkid: 32633 } },
      Classes: [{ Value: 1, Name: "building", Color: expect.any(Array) as number[] }],
      InputRastersProps: { RasterCount: 1, SensorName: "Undefined", BandNames: expect.any(Array) as string[] },
      GeoLearn: { FormatVersion: 1, IgnoreValue: 255, LabelSampleType: "uint8" },
    });
    expect((definition["AllTilesStats"] as unknown[]).length).toBe(3);
    const stats = JSON.parse(readFileSync(join(out, "esri_accumulated_stats.json"), "utf8")) as Record<string, unknown>;
    expect(stats).toMatchObject({ NumTiles: result.chips, NumBands: 3, MetaDataMode: "Classified_Tiles", NumClasses: 1 });
  });

  it("is the same for any number of workers", async () => {
    const raster = await scene("workers.tif");
    for (const workers of [0, 1, 3]) {
      await exportTrainingData({ raster, labels: houses, out: scratch.path(`workers-${workers}`), chipSize: 32, stride: 16, workers });
    }
    const first = digests(scratch.path("workers-0"));
    expect(Object.keys(first).length).toBeGreaterThan(30);
    expect(digests(scratch.path("workers-1"))).toEqual(first);
    expect(digests(scratch.path("workers-3"))).toEqual(first);
  });

  it("moves the last chips back to the border and pads a scene smaller than a chip", async () => {
    const raster = await scene("border.tif");
    const out = scratch.path("border");
    await exportTrainingData({ raster, labels: houses, out, chipSize: 50, stride: 50, allTiles: true, workers: 0 });
    const origins = readdirSync(join(out, "images"))
      .filter((name) => name.endsWith(".tfw"))
      .sort()
      .map((name) =>
        readFileSync(join(out, "images", name), "utf8")
          .split("\n")
          .slice(4, 6)
          .map(Number),
      );
    expect(origins.map(([x, y]) => [x! - 500_000.5, 4_999_999.5 - y!])).toEqual([
      [0, 0],
      [46, 0],
      [0, 30],
      [46, 30],
    ]);
    const padded = scratch.path("padded");
    await exportTrainingData({ raster, labels: houses, out: padded, chipSize: 128, workers: 0 });
    const label = await read(join(padded, "labels/000000000.tif"));
    expect(label.data.filter((value) => value === 255)).toHaveLength(128 * 128 - 96 * 80);
  });
});

describe("labels", () => {
  it("later features lie over earlier ones, and class gaps are kept", async () => {
    const labels = labelsOf([square(0, 0, 10, 10, { kind: 7 }), square(5, 0, 10, 10, { kind: 200 })]);
    const out = scratch.path("order");
    const result = await exportTrainingData({
      raster: await scene("order.tif"),
      labels,
      out,
      chipSize: 16,
      classField: "kind",
      workers: 0,
    });
    const { data } = await read(join(out, "labels/000000000.tif"));
    expect(data.slice(0, 16)).toEqual([7, 7, 7, 7, 7, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 0]);
    expect(result.classes.map(({ value }) => value)).toEqual([7, 200]);
  });

  it("are 8 bits wide with the ignore value beside the classes, 16 bits where needed", async () => {
    const raster = await scene("types.tif");
    const types: [number[], string, number][] = [
      [[255], "uint8", 254],
      [[300, 2], "uint16", 65535],
      [Array.from({ length: 255 }, (_, i) => i + 1), "uint16", 65535],
    ];
    for (const [i, [values, sampleType, ignore]] of types.entries()) {
      const labels = labelsOf(values.map((value) => square(1, 1, 8, 8, { classvalue: value, classname: `c${value}` })));
      const out = scratch.path(`types-${i}`);
      const result = await exportTrainingData({ raster, labels, out, chipSize: 16, workers: 0 });
      const label = await read(join(out, "labels/000000000.tif"));
      expect([label.sampleType, label.nodata, result.ignoreValue]).toEqual([sampleType, ignore, ignore]);
      expect(result.classes.find(({ value }) => value === values[0])?.name).toBe(`c${values[0]}`);
    }
  });

  it("say nothing outside the mask and where the image has no data", async () => {
    const raster = await scene("mask.tif", 0);
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
    const { data } = await read(join(out, "labels/000000000.tif"));
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
    const labels = await read(join(out, "labels/000000000.tif"));
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
      raster: await scene("names.tif"),
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
    await exportTrainingData({ raster: await scene("short.tif"), labels, out, chipSize: 16, stride: 16, minOverlap: 0.5, workers: 0 });
    const first = await read(join(out, "labels/000000000.tif"));
    // 6 of 20 columns lie in the first chip, 14 in the second
    expect(first.data.slice(16, 32)).toEqual([0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255]);
    const second = await read(join(out, "labels/000000001.tif"));
    expect(second.data.slice(16, 32)).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0]);
  });

  it("points become discs of metres on the ground", async () => {
    const labels: Features = {
      name: "wells.geojson",
      crs: parseCrs(32633),
      features: [{ geometry: { type: "Point", coordinates: [500_016.5, 4_999_983.5] }, properties: {} }],
    };
    const out = scratch.path("points");
    const raster = await scene("points.tif");
    await exportTrainingData({ raster, labels, out, chipSize: 32, bufferRadius: 5, workers: 0 });
    const { data } = await read(join(out, "labels/000000000.tif"));
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
    await exportTrainingData({ raster: await scene("lines.tif"), labels, out, chipSize: 32, bufferRadius: "3 crs", workers: 0 });
    if (!withPeers) return;
    const { data } = await read(join(out, "labels/000000000.tif"));
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
    const result = await exportTrainingData({ raster: await scene("cr.tif"), labels, out, chipSize: 32, workers: 0 });
    expect(result.classes.map(({ value, name }) => [value, name])).toEqual([
      [4, "wood"],
      [9, "lake"],
    ]);
    const chip = await read(join(out, "labels/000000000.tif"));
    expect([chip.data[0], chip.data[12], chip.data[22], chip.data[30]]).toEqual([4, 9, 255, 0]);
  });
});

describe("across 180 degrees", () => {
  /** The four corners of a rectangle around a middle. */
  const rectangle = (x: number, y: number, width: number, height: number): number[][] => [
    [x - width / 2, y - height / 2],
    [x + width / 2, y - height / 2],
    [x + width / 2, y + height / 2],
    [x - width / 2, y + height / 2],
    [x - width / 2, y - height / 2],
  ];
  const layer = (name: string, crs: number, rings: number[][][]): Features => ({
    name,
    crs: parseCrs(crs),
    features: rings.map((ring) => ({ geometry: { type: "Polygon", coordinates: [ring] }, properties: {} })),
  });
  const blank = (name: string, crs: number, transform: Affine): Promise<string> =>
    writeRaster(
      scratch.path(name),
      { data: new Uint8Array(96 * 80).fill(9), bands: 1, width: 96, height: 80 },
      { sampleType: "uint8", crs: parseCrs(crs), transform },
    );
  const labelsIn = async (raster: string, labels: Features | string, out: string): Promise<number[]> => {
    await exportTrainingData({ raster, labels, out: scratch.path(out), chipSize: { width: 96, height: 80 }, workers: 0 });
    return (await read(scratch.path(out, "labels/000000000.tif"))).data;
  };

  it("degrees that run on to 181 meet labels at -179, on both sides", async () => {
    const raster = await blank("fiji-degrees.tif", 4326, [0.01, 0, 179.52, 0, -0.01, -16.6]);
    const burnt = await labelsIn(
      raster,
      layer("cut.geojson", 4326, [rectangle(179.9, -17, 0.2, 0.2), rectangle(-179.9, -17, 0.2, 0.2)]),
      "fiji-cut",
    );
    const whole = await labelsIn(raster, layer("whole.geojson", 4326, [rectangle(180, -17, 0.4, 0.2)]), "fiji-whole");
    expect(burnt).toEqual(whole);
    expect(burnt.filter((value) => value === 1)).toHaveLength(40 * 20);
    const far = layer("far.geojson", 4326, [rectangle(-90, -17, 0.2, 0.2)]);
    expect(await codeOf(exportTrainingData({ raster, labels: far, out: scratch.path("fiji-far"), chipSize: 32 }))).toBe("LABELS_OUTSIDE");
  });

  it("metres of a zone at the edge meet labels in degrees that were cut there", async () => {
    // 180 degrees are at about x = 819 480 here
    const raster = await blank("fiji-metres.tif", 32760, [10, 0, 819_350, 0, -10, 8_120_000]);
    const metres = layer("metres.gpkg", 32760, [rectangle(819_482, 8_119_603, 204, 202)]);
    const path = scratch.path("degrees.geojson");
    await writeFeatures(metres, path);
    expect(readFileSync(path, "utf8")).toContain("MultiPolygon");
    const burnt = await labelsIn(raster, path, "fiji-metres-cut");
    expect(burnt).toEqual(await labelsIn(raster, metres, "fiji-metres-whole"));
    expect(burnt.filter((value) => value === 1).length).toBeGreaterThan(350);
    const east = layer("east.geojson", 4326, [rectangle(-179.9985, -16.985, 0.001, 0.001)]);
    expect((await labelsIn(raster, east, "fiji-metres-east")).filter((value) => value === 1).length).toBeGreaterThan(50);
  });
});

describe("turned copies", () => {
  it("turn image and labels together", async () => {
    const out = scratch.path("turned");
    const result = await exportTrainingData({
      raster: await scene("turned.tif"),
      labels: labelsOf([square(40, 30, 16, 16)]),
      out,
      chipSize: 32,
      stride: 96,
      extent: [500_032, 4_999_946, 500_064, 4_999_978],
      rotation: 90,
      workers: 0,
    });
    expect(result.chips).toBe(4);
    const chips = await Promise.all([0, 1, 2, 3].map((i) => read(join(out, `labels/00000000${i}.tif`))));
    const at = (chip: number, col: number, row: number): number => chips[chip]!.data[row * 32 + col]!;
    for (let row = 0; row < 32; row++) {
      for (let col = 0; col < 32; col++) {
        expect(at(2, col, row)).toBe(at(0, 31 - col, 31 - row));
        expect([at(0, 31 - row, col), at(0, row, 31 - col)]).toContain(at(1, col, row));
      }
    }
    const raster = await openRaster(join(out, "images/000000001.tif"));
    expect(Math.abs(raster.transform![1])).toBeCloseTo(1, 9);
    await raster.close();
  });
});

describe("going on", () => {
  it("appends a second area and counts both", async () => {
    const raster = await scene("append.tif");
    const out = scratch.path("append");
    const whole = { raster, labels: houses, out, chipSize: 32, stride: 32, workers: 0 };
    const first = await exportTrainingData({ ...whole, extent: [500_000, 4_999_920, 500_032, 5_000_000] });
    const second = await exportTrainingData({ ...whole, extent: [500_032, 4_999_920, 500_096, 5_000_000], startIndex: "next" });
    expect(second.firstIndex).toBe(first.endIndex);
    const all = await exportTrainingData({ ...whole, out: scratch.path("append-whole") });
    expect(first.chips + second.chips).toBe(all.chips);
    const read = (folder: string): Record<string, unknown> =>
      JSON.parse(readFileSync(join(folder, "esri_accumulated_stats.json"), "utf8")) as Record<string, unknown>;
    const [joined, once] = [read(out), read(scratch.path("append-whole"))];
    expect(joined["ClassPixelStats"]).toEqual(once["ClassPixelStats"]);
    expect(readFileSync(join(out, "map.txt"), "utf8").trimEnd().split("\n")).toHaveLength(all.chips);
    // the same again finds its chips and adds nothing
    const again = await exportTrainingData({ ...whole, extent: [500_032, 4_999_920, 500_096, 5_000_000], startIndex: "next" });
    expect(again).toMatchObject({ resumed: true, firstIndex: second.firstIndex, endIndex: second.endIndex });
    expect(await codeOf(exportTrainingData({ ...whole, startIndex: 0 }))).toBe("OUTPUT_EXISTS");
    expect(await codeOf(exportTrainingData({ ...whole, startIndex: "next", chipSize: 16 }))).toBe("CHIPS_MISMATCH");
  });

  it("refuses a folder of another export, and replaces it when told", async () => {
    const raster = await scene("again.tif");
    const out = scratch.path("again");
    await exportTrainingData({ raster, labels: houses, out, chipSize: 32, workers: 0 });
    expect(await codeOf(exportTrainingData({ raster, labels: houses, out, chipSize: 16, workers: 0 }))).toBe("OUTPUT_EXISTS");
    const replaced = await exportTrainingData({ raster, labels: houses, out, chipSize: 16, overwrite: true, workers: 0 });
    expect(readdirSync(join(out, "labels"))).toHaveLength(replaced.chips);
  });

  it("refuses a second writer", async () => {
    const out = scratch.path("locked");
    mkdirSync(out);
    const unlock = await lockFolder(out);
    expect(await codeOf(exportTrainingData({ raster: await scene("locked.tif"), labels: houses, out, chipSize: 32 }))).toBe(
      "OUTPUT_LOCKED",
    );
    await unlock();
  });

  it("keeps what is written when the disk is full, and ends the same once there is room", async () => {
    const raster = await scene("full.tif");
    const options = { raster, labels: houses, chipSize: 16, stride: 8, workers: 0 };
    await exportTrainingData({ ...options, out: scratch.path("room") });
    const out = scratch.path("full");
    mkdirSync(join(out, "images"), { recursive: true });
    if (!existsSync("/dev/full")) return;
    symlinkSync("/dev/full", join(out, "images/000000020.tif.tmp"));
    expect(await codeOf(exportTrainingData({ ...options, out }))).toBe("DISK_FULL");
    expect(existsSync(join(out, "images/000000020.tif"))).toBe(false);
    expect(await exportTrainingData({ ...options, out })).toMatchObject({ resumed: true });
    expect(digests(out)).toEqual(digests(scratch.path("room")));
  });

  it("ends with the same bytes after being cancelled", async () => {
    const raster = await scene("cancel.tif");
    const options = { raster, labels: houses, chipSize: 16, stride: 4, workers: 1 };
    await exportTrainingData({ ...options, out: scratch.path("not-cancelled") });
    const out = scratch.path("cancelled");
    for (let round = 0; round < 4; round++) {
      const controller = new AbortController();
      const cancelled = exportTrainingData({
        ...options,
        out,
        signal: controller.signal,
        onProgress: ({ done }) => {
          // between two reports chips are being written, and others wait
          if (done > 40 * round) setTimeout(() => controller.abort(new Error("stop")), round % 2);
        },
      });
      await expect(cancelled).rejects.toThrow("stop");
      expect(readdirSync(join(out, "images")).filter((name) => name.endsWith(".tmp"))).toEqual([]);
    }
    await exportTrainingData({ ...options, out });
    expect(digests(out)).toEqual(digests(scratch.path("not-cancelled")));
  });

  it("ends with the same bytes after being killed at any moment", async () => {
    const raster = await scene("kill.tif");
    const labelsPath = scratch.path("kill.geojson");
    const crs = { type: "name", properties: { name: "urn:ogc:def:crs:EPSG::32633" } };
    const { writeFileSync } = await import("node:fs");
    writeFileSync(
      labelsPath,
      JSON.stringify({ type: "FeatureCollection", crs, features: houses.features.map((f) => ({ type: "Feature", ...f })) }),
    );
    const options = { raster, labels: labelsPath, chipSize: 16, stride: 3 };
    await exportTrainingData({ ...options, out: scratch.path("never-killed") });
    const expected = digests(scratch.path("never-killed"));
    const out = scratch.path("killed");
    const program = `
      import { exportTrainingData } from ${JSON.stringify(new URL("./export-training-data.ts", import.meta.url).href)};
      await exportTrainingData({ ...${JSON.stringify(options)}, out: ${JSON.stringify(out)}, workers: 0, onProgress: ({ done }) => process.stdout.write(done + "\\n") });`;
    for (let round = 0; round < 5; round++) {
      const at = 40 + round * 130;
      await new Promise<void>((resolve) => {
        const child = spawn(process.execPath, ["--conditions=@geolearn/source", "--import", "tsx", "--input-type=module", "-e", program], {
          stdio: ["ignore", "pipe", "inherit"],
          cwd: new URL("..", import.meta.url),
        });
        child.stdout.on("data", (text: Buffer) => {
          if (
            String(text)
              .trim()
              .split("\n")
              .some((line) => Number(line) >= at)
          )
            child.kill("SIGKILL");
        });
        child.on("exit", () => resolve());
      });
    }
    // as a run leaves it that is killed while it writes this file
    writeFileSync(join(out, ".map.txt.0123456789ab.tmp"), "half a");
    await exportTrainingData({ ...options, out });
    expect(digests(out)).toEqual(expected);
  }, 120_000);
});

describe("refusals", () => {
  it.each([
    ["LABELS_EMPTY", { labels: labelsOf([]) }],
    ["LABELS_OUTSIDE", { labels: labelsOf([square(5000, 5000, 10, 10)]) }],
    ["CRS_MISSING", { labels: { ...houses, crs: null } }],
    ["FIELD_MISSING", { classField: "kind" }],
    ["INVALID_ARGUMENT", { labels: labelsOf([square(0, 0, 9, 9, { v: 70_000 })]), classField: "v" }],
    ["INVALID_ARGUMENT", { labels: labelsOf([square(0, 0, 9, 9, { v: 1.5 })]), classField: "v" }],
    ["INVALID_ARGUMENT", { chipSize: 0 }],
    ["INVALID_ARGUMENT", { stride: -1 }],
    ["INVALID_ARGUMENT", { bufferRadius: -2 }],
    ["INVALID_ARGUMENT", { ignoreValue: 1 }],
    ["BANDS_MISMATCH", { bands: [0, 7] }],
    ["WINDOW_OUTSIDE", { extent: [0, 0, 10, 10] as const }],
    ["UNSUPPORTED_FORMAT", { chipFormat: "jpeg" as const, bands: [0, 1] }],
    ["LABELS_EMPTY", { labels: labelsOf([square(10.1, 10.1, 0.2, 0.2)]) }],
  ])("%s", async (code, options) => {
    const out = scratch.path(`refused-${Math.random()}`);
    expect(
      await codeOf(exportTrainingData({ raster: await scene("refused.tif"), labels: houses, out, chipSize: 16, workers: 0, ...options })),
    ).toBe(code);
  });

  it.each([
    ["nodata", 0, { nodata: 0 }],
    ["NaN", NaN, {}],
    ["infinity", -Infinity, {}],
  ])(
    "ALL_NODATA names the raster of which every pixel is %s, with and without a mask, and leaves nothing",
    async (name, value, profile) => {
      const [width, height] = [96, 80];
      const data = new Float32Array(2 * width * height).fill(value);
      const path = scratch.path(`nothing-${name}.tif`);
      const raster = await writeRaster(path, { data, bands: 2, width, height }, { sampleType: "float32", ...profile });
      const out = scratch.path(`nothing-${name}`);
      const mask = labelsOf([square(0, 0, 50, 50)], "mask");
      for (const options of [{}, { mask }, { allTiles: true }, { mask, allTiles: true, rotation: 90 }]) {
        const work = exportTrainingData({ raster, labels: houses, out, chipSize: 16, workers: 0, ...options });
        await expect(work).rejects.toMatchObject({ code: "ALL_NODATA", message: expect.stringContaining(path) as string });
        expect(existsSync(out) ? readdirSync(out) : []).toEqual([]);
      }
      const direct = { raster, labels: houses, chipSize: 16 };
      const prepare = { task: "pixelClassification", workers: 0 } as const;
      for (const source of [direct, { ...direct, samples: 4 }, { ...direct, mask, allTiles: true }]) {
        expect(await codeOf(prepareData(source, prepare))).toBe("ALL_NODATA");
      }
    },
  );

  it("LABELS_EMPTY, not ALL_NODATA, where there is imagery but the mask or the labels leave none of it", async () => {
    const raster = await scene("partly.tif", 0);
    const options = { raster, labels: houses, chipSize: 16, stride: 16, workers: 0 };
    const far = labelsOf([square(200, 0, 5, 5)], "mask");
    expect(await codeOf(exportTrainingData({ ...options, mask: far, out: scratch.path("partly-mask") }))).toBe("LABELS_EMPTY");
    const tiny = labelsOf([square(10.1, 10.1, 0.2, 0.2)]);
    expect(await codeOf(exportTrainingData({ ...options, labels: tiny, out: scratch.path("partly-labels") }))).toBe("LABELS_EMPTY");
  });

  it("LABELS_OUTSIDE tells both extents", async () => {
    const labels = labelsOf([square(5000, 5000, 10, 10)]);
    await expect(exportTrainingData({ raster: await scene("extents.tif"), labels, out: scratch.path("extents") })).rejects.toThrow(
      /505000.*4994990.*500000.*4999920/s,
    );
  });

  it("warns once of fields that look like classes when none is named, in a folder and in memory", async () => {
    const raster = await scene("unnamed-classes.tif");
    const kinds = [square(4, 4, 20, 12), square(40, 30, 25, 30), square(70, 4, 9, 9)].map((one, i) => ({ ...one, properties: { kind: i < 2 ? "oak" : "fir", id: i } })); // prettier-ignore
    const labels = labelsOf(kinds, "trees.geojson");
    const heard = async (options: {
      labels: Features;
      classField?: string;
      classes?: { value: number; name: string }[];
    }): Promise<Warning[]> => {
      const warnings: Warning[] = [];
      const onWarning = (warning: Warning): unknown => warnings.push(warning);
      const out = scratch.path(`unnamed-${Math.random()}`);
      await exportTrainingData({ raster, out, chipSize: 32, workers: 0, onWarning, ...options });
      const data = await prepareData({ raster, chipSize: 32, ...options }, { task: "pixelClassification", workers: 0, onWarning });
      await data.close();
      return warnings.filter(({ code }) => code === "CLASS_FIELD_MISSING");
    };
    const warning = { message: "trees.geojson has the field kind; all features become one class.", hint: expect.stringContaining('`classField: "kind"`') as string }; // prettier-ignore
    expect(await heard({ labels })).toMatchObject([warning, warning]);
    expect(await heard({ labels, classField: "kind" })).toEqual([]);
    expect(await heard({ labels, classes: [{ value: 1, name: "tree" }] })).toEqual([]);
    const usual = labelsOf(kinds.map((one) => ({ ...one, properties: { ...one.properties, value: 3 } })));
    expect(await heard({ labels: usual })).toEqual([]);
  });

  it("one raster with and one without a reference system", async () => {
    const bare = await writeRaster(
      scratch.path("bare.tif"),
      { data: new Uint8Array(96 * 80 * 3), bands: 3, width: 96, height: 80 },
      { sampleType: "uint8", crs: null },
    );
    const named = await scene("named.tif");
    expect(await codeOf(exportTrainingData({ raster: [named, bare], labels: houses, out: scratch.path("mixed") }))).toBe("CRS_MISSING");
    expect(await codeOf(exportTrainingData({ raster: bare, labels: houses, out: scratch.path("none"), chipSize: 16 }))).toBe("CRS_MISSING");
    const given = await exportTrainingData({
      raster: bare,
      labels: houses,
      out: scratch.path("given"),
      chipSize: 16,
      crs: 32633,
      workers: 0,
    });
    expect(given.chips).toBeGreaterThan(0);
  });
});

describe("PNG and JPEG chips", () => {
  it("have world files and can be read again", async () => {
    const raster = await scene("png.tif");
    for (const chipFormat of ["png", "jpeg"] as const) {
      const out = scratch.path(`pictures-${chipFormat}`);
      await exportTrainingData({ raster, labels: houses, out, chipSize: 32, chipFormat, workers: 0 });
      const extension = chipFormat === "png" ? "png" : "jpg";
      const image = await openRaster(join(out, `images/000000000.${extension}`));
      expect(image.transform).toEqual(GRID);
      const { data } = await image.read({ col: 0, row: 0, width: 32, height: 32 }, { bands: [0] });
      const worst = Math.max(...Array.from(data, (value, i) => Math.abs(value - (i % 32))));
      expect(worst).toBeLessThanOrEqual(chipFormat === "png" ? 0 : 32);
      await image.close();
    }
  });
});

describe("estimate", () => {
  it("tells chips and bytes without writing", async () => {
    const out = scratch.path("estimated");
    const options = { raster: await scene("est.tif"), labels: houses, out, chipSize: 16, stride: 8, allTiles: true };
    const estimate = await exportTrainingData({ ...options, estimate: true });
    expect(existsSync(out)).toBe(false);
    const result = await exportTrainingData({ ...options, workers: 0 });
    expect(estimate.chips).toBe(result.chips);
    const bytes = readdirSync(join(out, "images"), { withFileTypes: true })
      .filter(({ name }) => name.endsWith(".tif"))
      .reduce((sum, { name, parentPath }) => sum + readFileSync(join(parentPath, name)).length, 0);
    expect(estimate.bytes / bytes).toBeGreaterThan(0.7);
    expect(estimate.bytes / bytes).toBeLessThan(1.8);
  });

  it("is a bound when the measured rows hold few labels", async () => {
    const raster = await scene("sparse.tif");
    const options = { raster, labels: houses, out: scratch.path("bound"), chipSize: 8, stride: 8 };
    const { chips } = await exportTrainingData({ ...options, estimate: true });
    const result = await exportTrainingData({ ...options, workers: 0 });
    expect(result.skipped.unlabelled).toBeGreaterThan(0);
    expect(chips).toBeGreaterThanOrEqual(result.chips);
    expect(chips).toBeLessThan(result.chips + result.skipped.unlabelled + result.skipped.ignored);
  });

  it("says so when the folder cannot be made", async () => {
    const raster = await scene("in-the-way.tif");
    await expect(exportTrainingData({ raster, labels: houses, out: join(raster, "chips"), chipSize: 16 })).rejects.toMatchObject({
      code: "WRITE_FAILED",
    });
  });
});

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
