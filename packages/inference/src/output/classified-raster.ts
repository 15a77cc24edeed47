/** The result of inference on a scene: a raster on disk and what can be done with it. */

import { createReadStream, rmSync } from "node:fs";
import { rm } from "node:fs/promises";

import {
  type ClassDefinition,
  type Features,
  GeoLearnError,
  type Raster,
  type WorkOptions,
  openRaster,
  writeAtomic,
  writeFully,
} from "@geolearn/core";
import { type PolygonizeOptions, toPolygons } from "@geolearn/postprocess";

import { checkOutPath } from "./out-path.ts";

/** What is known of a finished result. */
export interface ClassifiedRasterInfo {
  /** File of the classes (or of the values, for functions that give values). */
  readonly path: string;
  /** File of the scores, a band per class, or null. */
  readonly scoresPath: string | null;
  /** File of the flags that tell where the scene leaves the range of the training data, or null. */
  readonly outOfRangePath: string | null;
  /** Classes of the map, null for functions that give values. */
  readonly classes: readonly ClassDefinition[] | null;
  /** Value of missing pixels. */
  readonly nodata: number;
  readonly width: number;
  readonly height: number;
  /** Pixels of each value that occurs, missing ones left out; empty for functions that give values. */
  readonly pixels: ReadonlyMap<number, number>;
  /** Windows of the scene. */
  readonly windows: number;
  /** Time of the work, in seconds. */
  readonly seconds: number;
  /** Million pixels of the scene per second. */
  readonly megapixelsPerSecond: number;
  /** Folder that is removed with the object, or null when the files are the caller's. */
  readonly temporaryFolder: string | null;
}

/** Folders to remove when the process ends without `dispose`. */
const temporaryFolders = new Set<string>();

/**
 * A classified scene. Without `out` its files are temporary: `save` them, and `dispose` (or end the process) to remove them.
 *
 * @example
 * const map = await classifyPixels("buildings.dlpk", "scene.tif");
 * await map.save("classes.tif");
 * await map.dispose();
 */
export class ClassifiedRaster implements ClassifiedRasterInfo {
  readonly path: string;
  readonly scoresPath: string | null;
  readonly outOfRangePath: string | null;
  readonly classes: readonly ClassDefinition[] | null;
  readonly nodata: number;
  readonly width: number;
  readonly height: number;
  readonly pixels: ReadonlyMap<number, number>;
  readonly windows: number;
  readonly seconds: number;
  readonly megapixelsPerSecond: number;
  readonly temporaryFolder: string | null;
  #disposed = false;

  constructor(info: ClassifiedRasterInfo) {
    this.path = info.path;
    this.scoresPath = info.scoresPath;
    this.outOfRangePath = info.outOfRangePath;
    this.classes = info.classes;
    this.nodata = info.nodata;
    this.width = info.width;
    this.height = info.height;
    this.pixels = info.pixels;
    this.windows = info.windows;
    this.seconds = info.seconds;
    this.megapixelsPerSecond = info.megapixelsPerSecond;
    this.temporaryFolder = info.temporaryFolder;
    if (info.temporaryFolder !== null) removeAtExit(info.temporaryFolder);
  }

  /** Opens the raster; the caller closes it. */
  async open(): Promise<Raster> {
    this.#check();
    return openRaster(this.path);
  }

  /** Copies the raster to `path`, which then holds the whole former or the whole new file. @throws UNSUPPORTED_FORMAT, DISK_FULL, WRITE_FAILED */
  async save(path: string): Promise<void> {
    this.#check();
    await copyWhole(this.path, path);
  }

  /** Copies the raster of the scores. @throws INVALID_ARGUMENT when none was asked for */
  async saveScores(path: string): Promise<void> {
    this.#check();
    if (this.scoresPath === null) {
      throw new GeoLearnError("INVALID_ARGUMENT", "This result has no scores.", { hint: "Ask for them with `scores: true`." });
    }
    await copyWhole(this.scoresPath, path);
  }

  /** Outlines of the classes as polygons. */
  async toPolygons(options: PolygonizeOptions & WorkOptions = {}): Promise<Features> {
    const raster = await this.open();
    try {
      return await toPolygons(raster, options);
    } finally {
      await raster.close();
    }
  }

  /** Removes temporary files; files at `out` stay. */
  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    if (this.temporaryFolder === null) return;
    await rm(this.temporaryFolder, { recursive: true, force: true });
    temporaryFolders.delete(this.temporaryFolder);
  }

  #check(): void {
    if (!this.#disposed) return;
    throw new GeoLearnError("INVALID_ARGUMENT", `The classified raster ${this.path} was disposed.`, { hint: "Save it before dispose()." });
  }
}

async function copyWhole(from: string, to: string): Promise<void> {
  checkOutPath(to);
  await writeAtomic(to, async (handle) => {
    let position = 0;
    for await (const chunk of createReadStream(from, { highWaterMark: 1 << 20 })) {
      await writeFully(handle, chunk as Buffer, position);
      position += (chunk as Buffer).length;
    }
  });
}

function removeAtExit(folder: string): void {
  if (!process.listeners("exit").includes(removeTemporaryFolders)) process.on("exit", removeTemporaryFolders);
  temporaryFolders.add(folder);
}

function removeTemporaryFolders(): void {
  for (const folder of temporaryFolders) rmSync(folder, { recursive: true, force: true });
}
