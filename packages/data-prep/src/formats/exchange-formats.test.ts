import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { encodePng, type Features } from "@geolearn/core";
import { afterAll, describe, expect, it } from "vitest";

import { isChipFolder } from "../chips/folder-content.ts";
import { openObjectChips } from "../chips/object-folder.ts";
import { askPeer, codeOf, collectWarnings, digests, labelsOf, Scratch, square, withPeers, writeRaster } from "../data-prep.testing.ts";
import { exportTrainingData } from "../export/export-training-data.ts";
import { prepareData } from "../prepare-data.ts";
import { decodeRuns, encodeRuns, runPixels } from "./run-lengths.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());

async function scene(name: string): Promise<string> {
  const [width, height] = [96, 80];
  const data = Uint8Array.from({ length: 3 * width * height }, (_, i) => (i * 7) % 251);
  return writeRaster(scratch.path(name), { data, bands: 3, width, height }, { sampleType: "uint8" });
}

/** Rings of a square in world coordinates. */
function rings(col: number, row: number, width: number, height: number): number[][][] {
  return (square(col, row, width, height).geometry as { coordinates: number[][][] }).coordinates;
}

/** A hole, two parts, one that crosses chips; no edge on the centre of a pixel. */
const things: Features = labelsOf([
  {
    geometry: { type: "Polygon", coordinates: [rings(10.2, 10.2, 20, 20)[0]!, rings(15.2, 15.2, 8, 6)[0]!.toReversed()] },
    properties: { kind: 3 },
  },
  { geometry: { type: "MultiPolygon", coordinates: [rings(2.3, 60.3, 9, 9), rings(33.2, 12.2, 5, 9)] }, properties: { kind: 7 } },
  square(40.3, 30.3, 25, 30, { kind: 7 }),
  square(70.4, 5.4, 9.4, 20.3, { kind: 3 }),
]);
const options = { labels: things, classField: "kind", chipSize: 48, stride: 32, workers: 0 } as const;
const asked = things.features.map(({ geometry, properties }) => ({ geometry, value: properties["kind"] as number }));

interface Read {
  readonly chip: string;
  readonly value: number;
  readonly box: readonly number[];
  /** Positions of the object's pixels in the chip. */
  readonly pixels: readonly number[];
}

async function readAll(folder: string): Promise<Read[]> {
  const chips = await openObjectChips(folder);
  const rows: Read[] = [];
  for (const [i, { name }] of chips.chips.entries()) {
    for (const { classValue, box, mask } of (await chips.read(i)).objects) {
      const pixels: number[] = [];
      mask?.data.forEach(
        (value, k) => value === 1 && pixels.push((mask.row + Math.floor(k / mask.width)) * chips.width + mask.col + (k % mask.width)),
      );
      rows.push({ chip: name, value: classValue, box, pixels });
    }
  }
  await chips.close();
  return rows;
}

type Row = [stem: string, value: number, box: number[], area: number];

describe("coco", () => {
  it.skipIf(!withPeers)(
    "is what pycocotools loads: images, categories, boxes, areas, and masks pixel for pixel where they have holes",
    async () => {
      const out = scratch.path("coco");
      await exportTrainingData({
        ...options,
        raster: await scene("coco.tif"),
        out,
        format: "coco",
        minOverlap: 0.1,
        allTiles: true,
        rotation: 180,
      });
      const coco = askPeer<{
        images: [string, number, number][];
        categories: [number, string][];
        annotations: { image: string; category: number; bbox: number[]; area: number; runs: boolean; pixels: number[] }[];
      }>({ do: "coco", file: join(out, "annotations.json") });
      expect(coco.categories).toEqual([
        [3, "3"],
        [7, "7"],
      ]);
      expect(coco.images).toEqual(
        readdirSync(join(out, "images"))
          .filter((name) => name.endsWith(".tif"))
          .sort()
          .map((name) => [name, 48, 48]),
      );
      const { rows } = askPeer<{ rows: Row[] }>({ do: "objects", chips: out, features: asked, min_overlap: 0.1 });
      expect(coco.annotations).toHaveLength(rows.length);
      expect(rows.length).toBeGreaterThan(20);
      coco.annotations.forEach(({ image, category, bbox, area }, i) => {
        const [stem, value, [xmin, ymin, xmax, ymax], expected] = rows[i] as [string, number, [number, number, number, number], number];
        expect([image, category]).toEqual([`${stem}.tif`, value]);
        [xmin, ymin, xmax - xmin, ymax - ymin].forEach((side, k) => expect(Math.abs(side - bbox[k]!)).toBeLessThan(0.0201));
        expect(Math.abs(area - expected)).toBeLessThan(0.0101);
      });

      const own = await readAll(out);
      expect(own.map(({ chip, value }) => [`${chip}.tif`, value])).toEqual(
        coco.annotations.map(({ image, category }) => [image, category]),
      );
      const withHoles = coco.annotations.map(({ runs }, i) => (runs ? i : -1)).filter((i) => i >= 0);
      expect(withHoles).toHaveLength(2);
      for (const i of withHoles) expect(own[i]!.pixels).toEqual(coco.annotations[i]!.pixels);
      own.forEach(({ pixels }, i) => {
        // COCO paints outlines by a rule of its own, which differs from the centre rule along the border by up to a pixel
        const theirs = new Set(coco.annotations[i]!.pixels);
        const [, , w, h] = coco.annotations[i]!.bbox as [number, number, number, number];
        const differ = pixels.filter((pixel) => !theirs.delete(pixel)).length + theirs.size;
        expect(differ).toBeLessThanOrEqual(4 * (w + h) + 8);
      });
    },
  );

  it.skipIf(!withPeers)("run lengths are those of pycocotools, as numbers and as text", () => {
    const masks = [0, 1, 2, 3].map((seed) =>
      Uint8Array.from({ length: 35 * 21 }, (_, i) => ((i * (7 + seed) + (i >> 3)) % 5 < 2 + (seed % 2) ? 1 : 0)),
    );
    masks.push(new Uint8Array(35 * 21), new Uint8Array(35 * 21).fill(1));
    const peers = askPeer<{ counts: number[]; text: string }[]>({ do: "runs", masks: masks.map((mask) => [...mask]), width: 35 });
    masks.forEach((mask, i) => {
      expect(encodeRuns(mask, 35)).toEqual(peers[i]!.counts);
      expect(decodeRuns(peers[i]!.text)).toEqual(peers[i]!.counts);
      const pixels = runPixels({ counts: peers[i]!.counts, width: 35, height: 21 }).toSorted((a, b) => a - b);
      expect(pixels).toEqual([...mask.keys()].filter((pixel) => mask[pixel] === 1));
    });
  });

  it("of others: pictures beside the file, crowds left out, categories of any id", async () => {
    const folder = pictures("foreign-coco", ["a.png", "b.png"]);
    const image = (id: number, name: string): object => ({ id, file_name: name, width: 20, height: 10 });
    const file = {
      images: [image(5, "a.png"), image(9, "b.png")],
      categories: [
        { id: 90, name: "brush" },
        { id: 18, name: "dog" },
      ],
      annotations: [
        { id: 1, image_id: 9, category_id: 18, bbox: [-2, 1, 6, 4.5], iscrowd: 0 },
        { id: 2, image_id: 9, category_id: 90, bbox: [1, 1, 3, 3], segmentation: { size: [10, 20], counts: [11, 3, 186] }, iscrowd: 0 },
        { id: 3, image_id: 9, category_id: 90, bbox: [0, 0, 20, 10], segmentation: { size: [10, 20], counts: [0, 200] }, iscrowd: 1 },
      ],
    };
    writeFileSync(join(folder, "_annotations.coco.json"), JSON.stringify(file));
    const { warnings, onWarning } = collectWarnings();
    const chips = await openObjectChips(folder, { onWarning });
    expect(chips.classes.map(({ value, name }) => [value, name])).toEqual([
      [18, "dog"],
      [90, "brush"],
    ]);
    expect(warnings.map(({ code }) => code)).toEqual(["CROWDS_LEFT_OUT", "BOXES_CLIPPED"]);
    expect([await isChipFolder(folder), await isChipFolder(scratch.folder)]).toEqual([true, false]);
    expect((await chips.read(0)).objects).toEqual([]);
    expect((await readAll(folder)).map(({ value, box, pixels }) => [value, box, pixels])).toEqual([
      [18, [0, 1, 4, 5.5], []],
      [90, [1, 1, 4, 4], [21, 41, 61]],
    ]);
    expect(await codeOf(prepareData(folder, { task: "instanceSegmentation", split: "random" }))).toBe("TASK_MISMATCH");
  });

  it.each([
    ["an annotation of no image", { annotations: [{ image_id: 8, category_id: 1, bbox: [0, 0, 1, 1] }] }],
    [
      "an image twice",
      {
        images: [
          { id: 1, file_name: "a.png" },
          { id: 1, file_name: "a.png" },
        ],
      },
    ],
    ["a picture out of the folder", { images: [{ id: 1, file_name: "../a.png" }] }],
    ["a box of three", { annotations: [{ image_id: 1, category_id: 1, bbox: [0, 0, 1] }] }],
    ["half a corner", { annotations: [{ image_id: 1, category_id: 1, bbox: [0, 0, 1, 1], segmentation: [[0, 0, 1, 1, 2]] }] }],
    [
      "runs too short",
      { annotations: [{ image_id: 1, category_id: 1, bbox: [0, 0, 1, 1], segmentation: { size: [10, 20], counts: [3, 3] } }] },
    ],
    ["a category that is no number", { categories: [{ id: "x", name: "x" }] }],
  ])("%s is CHIPS_CORRUPT", async (_, changes) => {
    const folder = pictures(`coco-${createHash("md5").update(JSON.stringify(changes)).digest("hex")}`, ["a.png"]);
    const file = { images: [{ id: 1, file_name: "a.png" }], categories: [{ id: 1, name: "x" }], annotations: [], ...changes };
    writeFileSync(join(folder, "annotations.json"), JSON.stringify(file));
    expect(await codeOf(openObjectChips(folder))).toBe("CHIPS_CORRUPT");
  });
});

describe("folders without metadata are chips", () => {
  const voc = '\ufeff<?xml version="1.0"?>\n<!-- by hand -->\n<annotation><object><name>a</name></object></annotation>';
  const metadata = '<?xml version="1.0"?>\n<metadata><annotation>none</annotation></metadata>';
  it.each([
    ["annotations beside their images", { "a.png": "", "a.xml": voc, "b.png": "", "b.xml": voc }, true],
    ["KITTI beside images, the first without an object", { "a.png": "", "a.txt": "", "b.tif": "", "b.txt": "car 0 0 0 1 1 4 4\n" }, true],
    ["a folder of images for each class", { "oak/a.png": "", "pine/b.png": "" }, true],
    ["not where rasters have metadata beside them", { "a.tif": "", "a.xml": metadata }, false],
    ["not where a text says something else", { "a.tif": "", "a.txt": "flown in May\n" }, false],
    ["not where rasters lie beside folders", { "scene.tif": "", "old/a.tif": "", "new/a.tif": "" }, false],
    ["not where rasters lie alone", { "a.tif": "", "b.tif": "" }, false],
  ])("%s", async (name, files, expected) => {
    const folder = scratch.path(name.replaceAll(/\W/g, "-"));
    for (const [file, content] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), content);
    }
    expect(await isChipFolder(folder)).toBe(expected);
  });
});

describe("yolo", () => {
  it.skipIf(!withPeers)("boxes are those of shapely, classes their positions", async () => {
    const out = scratch.path("yolo");
    await exportTrainingData({ ...options, raster: await scene("yolo.tif"), out, format: "yolo" });
    expect(readFileSync(join(out, "data.yaml"), "utf8")).toBe('path: .\ntrain: images\nval: images\nnc: 2\nnames:\n  0: "3"\n  1: "7"\n');
    const { rows } = askPeer<{ rows: Row[] }>({ do: "objects", chips: out, features: asked, min_overlap: 0 });
    const own = await readAll(out);
    expect(own).toHaveLength(rows.length);
    own.forEach(({ chip, value, box }, i) => {
      expect([chip, value]).toEqual(rows[i]!.slice(0, 2));
      box.forEach((side, k) => expect(Math.abs(side - rows[i]![2][k]!)).toBeLessThan(1e-4));
    });
    const text = readFileSync(join(out, `labels/${own[0]!.chip}.txt`), "utf8");
    expect(text.split("\n")[0]).toMatch(/^[01]( [01]\.\d{7}){4}$/);
  });

  it.skipIf(!withPeers)("outlines give the masks of rasterio, parts and holes included", async () => {
    const out = scratch.path("yolo-polygons");
    await exportTrainingData({ ...options, raster: await scene("yolo-polygons.tif"), out, format: "yoloPolygons" });
    const { rows } = askPeer<{ rows: Row[] }>({ do: "objects", chips: out, features: asked, min_overlap: 0 });
    const masks = askPeer<number[][]>({ do: "burnt", chips: out, features: asked });
    const own = await readAll(out);
    expect(own).toHaveLength(rows.length);
    expect(own.map(({ pixels }) => pixels)).toEqual(masks);
    const data = await prepareData(out, { task: "instanceSegmentation", valSplit: 1, batchSize: 4, workers: 0 });
    for await (const { masks: all } of data.valid.read()) expect(all!.includes(1)).toBe(true);
    await data.close();
  });

  it("of others: names in either form, folders per side, pictures without a text", async () => {
    const folder = pictures("foreign-yolo", ["images/train/a.png", "images/val/b.png", "images/val/c.png"]);
    for (const side of ["train", "val"]) mkdirSync(join(folder, "labels", side), { recursive: true });
    writeFileSync(join(folder, "labels/train/a.txt"), "1 0.5 0.5 0.5 0.2\n0 0.1 0.1 0.3 0.1 0.3 0.5\n");
    writeFileSync(join(folder, "labels/val/b.txt"), "0 0.95 0.5 0.2 0.4\n");
    for (const names of ["names: [ship, 'quay: old']", "names:\n  1: 'quay: old'\n  0: ship", "names:\n- ship\n- 'quay: old'"]) {
      writeFileSync(join(folder, "data.yaml"), `train: images/train\n${names}\n`);
      const chips = await openObjectChips(folder);
      expect(chips.classes.map(({ value, name }) => [value, name])).toEqual([
        [0, "ship"],
        [1, "quay: old"],
      ]);
    }
    const own = await readAll(folder);
    expect(own.map(({ chip, value, box }) => [chip, value, box.map((side) => Number(side.toFixed(6)))])).toEqual([
      ["a", 1, [5, 4, 15, 6]],
      ["a", 0, [2, 1, 6, 5]],
      ["b", 0, [17, 3, 20, 7]],
    ]);
    const data = await prepareData(folder, { task: "objectDetection", split: "random", valSplit: 0, workers: 0, batchSize: 3 });
    expect(data.classObjects).toEqual([2, 1]);
    await data.close();
  });

  it.each([
    ["a class beyond the list", "names: [ship]", "3 0.5 0.5 0.1 0.1", "CLASS_UNKNOWN"],
    ["a class name for its position", "names: [ship]", "ship 0.5 0.5 0.1 0.1", "CHIPS_CORRUPT"],
    ["three numbers", "names: [ship]", "0 0.5 0.5 0.1", "CHIPS_CORRUPT"],
    ["no number", "names: [ship]", "0 0.5 nan 0.1 0.1", "CHIPS_CORRUPT"],
    ["broken YAML", "names: [ship", "", "CHIPS_CORRUPT"],
    ["no names", "nc: 4", "", "CHIPS_CORRUPT"],
    ["aliases", "a: &a [1]\nnames: *a", "", "CHIPS_CORRUPT"],
  ])("%s is a typed error", async (_, yaml, text, code) => {
    const folder = pictures(
      `yolo-${createHash("md5")
        .update(yaml + text)
        .digest("hex")}`,
      ["images/a.png"],
    );
    mkdirSync(join(folder, "labels"), { recursive: true });
    writeFileSync(join(folder, "labels/a.txt"), text);
    writeFileSync(join(folder, "data.yaml"), yaml);
    expect(await codeOf(openObjectChips(folder))).toBe(code);
  });

  it("positions stay when a folder grows; classes that would move them are refused", async () => {
    const raster = await scene("grow.tif");
    const out = scratch.path("grow");
    const of = (value: number): Features => labelsOf([square(4, 4, 20, 20, { kind: value })]);
    await exportTrainingData({ ...options, labels: of(3), raster, out, format: "yolo" });
    await exportTrainingData({ ...options, labels: of(7), raster, out, format: "yolo", startIndex: "next" });
    expect((await readAll(out)).map(({ value }) => value)).toEqual([3, 7]);
    expect(await codeOf(exportTrainingData({ ...options, labels: of(1), raster, out, format: "yolo", startIndex: "next" }))).toBe(
      "CHIPS_MISMATCH",
    );
    expect((await readAll(out)).map(({ value }) => value)).toEqual([3, 7]);
  });
});

describe("files of other formats in a folder", () => {
  it("say nothing where the metadata name the layout, and are passed over where they are no annotations", async () => {
    const out = scratch.path("strays");
    await exportTrainingData({ ...options, raster: await scene("strays.tif"), out, format: "kitti" });
    const own = await readAll(out);
    writeFileSync(join(out, "annotations.json"), "[");
    writeFileSync(join(out, "data.yaml"), "names: [");
    expect(await readAll(out)).toEqual(own);
    const folder = pictures("notes", ["a.png"]);
    writeFileSync(join(folder, "a.xml"), "<annotation><filename>a.png</filename></annotation>");
    for (const [name, text] of [
      ["list.json", "[1]"],
      ["damaged.json", "{"],
      ["notes.json", '{"images": 3}'],
    ] as const) {
      writeFileSync(join(folder, name), text);
    }
    expect((await openObjectChips(folder)).chips).toHaveLength(1);
    const coco = { images: [{ id: 1, file_name: "a.png" }], categories: [], annotations: [] };
    for (const name of ["one.json", "two.json"]) writeFileSync(join(folder, name), JSON.stringify(coco));
    await expect(openObjectChips(folder)).rejects.toMatchObject({
      code: "CHIPS_CORRUPT",
      message: expect.stringContaining("one.json, two.json") as string,
    });
  });
});

describe("both", () => {
  it.each(["coco", "yoloPolygons"] as const)(
    "%s is the same for any number of workers, stopped and continued, appended to and replaced",
    async (format) => {
      const raster = await scene(`${format}-keep.tif`);
      for (const workers of [0, 2])
        await exportTrainingData({ ...options, raster, out: scratch.path(`${format}-${workers}`), format, workers });
      const expected = digests(scratch.path(`${format}-0`));
      expect(digests(scratch.path(`${format}-2`))).toEqual(expected);
      const out = scratch.path(`${format}-stopped`);
      const stop = new AbortController();
      const narrow = { ...options, stride: 12 };
      const whole12 = scratch.path(`${format}-whole12`);
      await exportTrainingData({ ...narrow, raster, out: whole12, format });
      await expect(
        exportTrainingData({ ...narrow, raster, out, format, signal: stop.signal, onProgress: ({ done }) => done >= 1 && stop.abort() }),
      ).rejects.toMatchObject({ name: "AbortError" });
      const result = await exportTrainingData({ ...narrow, raster, out, format });
      expect(result.resumed).toBe(true);
      expect(digests(out)).toEqual(digests(whole12));
      const more = await exportTrainingData({ ...options, raster, out, format, startIndex: "next" });
      const all = await readAll(out);
      expect(new Set(all.map(({ chip }) => chip)).size).toBe(more.endIndex);
      expect(all).toHaveLength(more.classes.reduce((sum, { objects }) => sum + objects, 0));
      await exportTrainingData({ ...options, raster, out, format, overwrite: true });
      expect(digests(out)).toEqual(expected);
      rmSync(out, { recursive: true });
    },
  );
});

/** A folder with PNG pictures of 20 x 10 pixels. */
function pictures(name: string, files: readonly string[]): string {
  const folder = scratch.path(name);
  for (const file of files) {
    const path = join(folder, file);
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(
      path,
      encodePng({ width: 20, height: 10, channels: 1, data: Uint8Array.from({ length: 200 }, (_, i) => (i * 13) % 251) }),
    );
  }
  return folder;
}
