/** Real chips with objects for the benchmarks of detectors, and their folds. Imagery and labels lie beside the repository. */

import { existsSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { type Feature, openRaster } from "@geolearn/core";
import { type ExportOptions, exportTrainingData } from "@geolearn/data-prep";

const shared = fileURLToPath(new URL("../../shared/data/", import.meta.url));

/** Chips of a set, and the names of those of each fold. */
export interface FoldedChips {
  readonly chips: string;
  readonly folds: readonly (readonly string[])[];
  /** What a fold is made of, for the report. */
  readonly by: string;
}

/** Folder of a set, or null where it is not there. */
export function sharedData(name: string): string | null {
  const folder = join(shared, name);
  return existsSync(folder) ? folder : null;
}

/** Chips of 96 pixels of NEON's plots with the boxes of tree crowns as PASCAL VOC; every fifth plot is a fold. */
export async function treeChips(folder: string, out: string, folds: number): Promise<FoldedChips> {
  const plots = (await readdir(folder)).filter((name) => name.endsWith(".tif")).sort();
  const names: string[][] = Array.from({ length: folds }, () => []);
  for (const [i, plot] of plots.entries()) {
    const raster = await openRaster(join(folder, plot));
    const labels = {
      name: plot,
      crs: raster.crs,
      features: await treeFeatures(join(folder, plot.replace(".tif", ".xml")), raster.transform!),
    };
    const options = {
      chipSize: 96,
      stride: 52,
      cellSize: 0.2,
      format: "pascalVoc",
      minOverlap: 0.3,
      classField: "name",
      allTiles: true,
      overwrite: false,
    } as const;
    names[i % folds]!.push(...(await exportPart({ raster, labels, out, ...options }, i === 0)));
    await raster.close();
  }
  return { chips: out, folds: names, by: "plots" };
}

/** Exports into a folder that others fill, too; the names of the new chips. */
async function exportPart(options: ExportOptions & { readonly estimate?: false }, first: boolean): Promise<string[]> {
  const { firstIndex, endIndex } = await exportTrainingData({ ...options, ...(first ? {} : { startIndex: "next" }) });
  return Array.from({ length: endIndex - firstIndex }, (_, i) => String(firstIndex + i).padStart(9, "0"));
}

const SHIP = { value: 1, name: "ship" };

/**
 * Sentinel-2 with twelve bands around one ship each: chips of 64 pixels of 5 m that show it whole or in good part, so that ships of a
 * few pixels are as large as networks of detection are made for. Chips of places that overlap are in one fold; the fullest places first.
 */
export async function shipChips(folder: string, out: string, folds: number): Promise<FoldedChips> {
  const files = (await readdir(folder)).filter((name) => name.endsWith(".tif")).sort();
  const places: { readonly extents: Extent[]; readonly names: string[] }[] = [];
  for (const [i, file] of files.entries()) {
    const raster = await openRaster(join(folder, file));
    const labels = { name: file, crs: raster.crs, features: await shipFeatures(join(folder, file.replace(".tif", "_labels.geojson"))) };
    const [a, , c, , e, f] = raster.transform!;
    const extent: Extent = [c, f + e * raster.height, c + a * raster.width, f];
    const options = {
      ...({ chipSize: 64, stride: 32, format: "rcnnMasks", minOverlap: 0.5, overwrite: false } as const),
      ...{ cellSize: 5, classes: [SHIP] },
    };
    const names = await exportPart({ raster, labels, out, ...options }, i === 0);
    await raster.close();
    const touched = places.filter(({ extents }) => extents.some((other) => overlap(other, extent)));
    for (const one of touched) places.splice(places.indexOf(one), 1);
    places.push({
      extents: [...touched.flatMap(({ extents }) => extents), extent],
      names: [...touched.flatMap((one) => one.names), ...names],
    });
  }
  const filled: string[][] = Array.from({ length: folds }, () => []);
  for (const { names } of places.toSorted((x, y) => y.names.length - x.names.length)) {
    filled.reduce((least, one) => (one.length < least.length ? one : least)).push(...names);
  }
  return { chips: out, folds: filled, by: "places" };
}

/** The ships of a file, one feature each: a file of two passages holds them as one of two parts. */
async function shipFeatures(path: string): Promise<Feature[]> {
  const { features } = JSON.parse(await readFile(path, "utf8")) as { readonly features: readonly Feature[] };
  return features.flatMap((feature) => {
    const { geometry } = feature;
    if (geometry?.type !== "MultiPolygon") return [feature];
    return geometry.coordinates.map((coordinates): Feature => ({ ...feature, geometry: { type: "Polygon", coordinates } }));
  });
}

type Extent = [xmin: number, ymin: number, xmax: number, ymax: number];

function overlap([x0, y0, x1, y1]: Extent, [left, bottom, right, top]: Extent): boolean {
  return x0 < right && left < x1 && y0 < top && bottom < y1;
}

/** A suburb of Kampala from a drone: chips of 128 pixels of 0.2 m with outlines of buildings; each fold is a strip from north to south that no other strip's chips reach. */
export async function kampalaChips(folder: string, out: string, folds: number): Promise<FoldedChips> {
  const raster = await openRaster(join(folder, "image.tif"));
  const [a, , c, , e, f] = raster.transform!;
  const names: string[][] = [];
  for (let fold = 0; fold < folds; fold++) {
    const [left, right] = [fold, fold + 1].map((k) => c + (a * raster.width * k) / folds) as [number, number];
    const options = {
      ...({ chipSize: 128, stride: 64, cellSize: 0.2, format: "rcnnMasks", allTiles: true, overwrite: false } as const),
      extent: [left, f + e * raster.height, right, f],
    } as const;
    names.push(await exportPart({ raster, labels: join(folder, "buildings.geojson"), out, ...options }, fold === 0));
  }
  await raster.close();
  return { chips: out, folds: names, by: "strips" };
}

async function treeFeatures(path: string, [a, , c, , e, f]: readonly number[]): Promise<Feature[]> {
  const text = await readFile(path, "utf8");
  return [...text.matchAll(/<object>[^]*?<\/object>/g)].map(([object]) => {
    const [x0, y0, x1, y1] = ["xmin", "ymin", "xmax", "ymax"].map((key) => Number(new RegExp(`<${key}>([^<]+)<`).exec(object)![1])) as [
      number,
      number,
      number,
      number,
    ];
    const point = (x: number, y: number): [number, number] => [c! + a! * x, f! + e! * y];
    const ring = [point(x0, y0), point(x1, y0), point(x1, y1), point(x0, y1), point(x0, y0)];
    return { geometry: { type: "Polygon", coordinates: [ring] }, properties: { name: "tree" } };
  });
}

/** Writes which chips validate. */
export async function writeSplit(path: string, names: readonly string[]): Promise<string> {
  await writeFile(path, `${names.join("\n")}\n`);
  return path;
}
