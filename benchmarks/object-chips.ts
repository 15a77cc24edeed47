/** Real chips with objects for the benchmarks of detectors, and their folds. Imagery and labels lie beside the repository. */

import { existsSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { type Feature, openRaster } from "@geolearn/core";
import { exportTrainingData } from "@geolearn/data-prep";

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

/** Chips of 192 pixels of NEON's plots with the boxes of tree crowns as PASCAL VOC; every fifth plot is a fold. */
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
      stride: 104,
      cellSize: 0.2,
      format: "pascalVoc",
      classField: "name",
      allTiles: true,
      overwrite: false,
    } as const;
    const { firstIndex, endIndex } = await exportTrainingData({
      raster,
      labels,
      out,
      ...options,
      ...(i > 0 && { startIndex: "next" as const }),
    });
    await raster.close();
    for (let index = firstIndex; index < endIndex; index++) names[i % folds]!.push(String(index).padStart(9, "0"));
  }
  return { chips: out, folds: names, by: "plots" };
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
