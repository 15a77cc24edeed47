/** How far an export is: a small file in the folder, replaced whole, from which a later run goes on. */

import { createHash } from "node:crypto";
import { rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { type Raster, removeTemporaries } from "@geolearn/core";

import { isObject, numberOrNull, parseJsonObject, readTextFile } from "../esri/json.ts";
import type { AccumulatedStats } from "../esri/accumulated-stats.ts";
import type { Tally } from "./tally.ts";

/** Name of the file; it is there only while an export is unfinished. */
export const STATE_FILE = ".geolearn-export.json";

/** Position of an export: everything before (part, panel, row) is written. */
export interface ExportState {
  readonly version: 3;
  readonly fingerprint: string;
  readonly firstIndex: number;
  readonly part: number;
  readonly panel: number;
  /** Row of chips inside the panel. */
  readonly row: number;
  readonly nextIndex: number;
  readonly tally: Tally;
  /** Counts of the folder before this export, null for a new folder. */
  readonly base: AccumulatedStats | null;
}

/** The state of an unfinished export in a folder, or null. A damaged file counts as none. */
export async function readState(out: string): Promise<ExportState | null> {
  const path = join(out, STATE_FILE);
  const text = await readTextFile(path);
  if (text === null) return null;
  try {
    const json = parseJsonObject(text, path);
    const counts = [json["firstIndex"], json["part"], json["panel"], json["row"], json["nextIndex"]];
    if (json["version"] !== 3 || counts.some((count) => numberOrNull(count) === null) || !isObject(json["tally"])) return null;
    return json as unknown as ExportState;
  } catch {
    return null;
  }
}

/** Stores the state; whole or not at all. It is not flushed: chips are not either. */
export async function storeState(out: string, state: ExportState): Promise<void> {
  const path = join(out, STATE_FILE);
  await writeFile(`${path}.tmp`, JSON.stringify(state));
  await rename(`${path}.tmp`, path);
}

/** Removes the state of a finished export, and what runs of it that were killed left half-written. */
export async function removeState(out: string): Promise<void> {
  await removeTemporaries(out);
  await rm(join(out, `${STATE_FILE}.tmp`), { force: true });
  await rm(join(out, STATE_FILE), { force: true });
}

/** A digest of everything an export depends on. */
export function fingerprintOf(parts: readonly unknown[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 32);
}

/** What tells one raster from another: its grid, and size and time of its file where it has one. */
export async function rasterIdentity(raster: Raster): Promise<readonly unknown[]> {
  const file = await stat(raster.name).catch(() => null);
  return [
    raster.width,
    raster.height,
    raster.bands,
    raster.sampleType,
    raster.transform,
    raster.crs?.proj ?? null,
    raster.nodata,
    file === null || !file.isFile() ? raster.name : [file.size, file.mtimeMs],
  ];
}
