/** What was measured of every chip, kept beside the chips, so that only new or changed chips are read again. */

import { join } from "node:path";

import { type Affine, type OnWarning, writeAtomic } from "@geolearn/core";

import type { BandMoments } from "../esri/accumulated-stats.ts";
import { parseJsonObject, readTextFile } from "../esri/json.ts";
import type { ChipRecord } from "./chip-record.ts";

/** Name of the file in the chips folder. */
export const STATISTICS_FILE = "chip_statistics.json";

const VERSION = 1;

/** Records by chip name whose version still holds; a missing, damaged or older file gives none. */
export async function loadRecords(folder: string, versions: ReadonlyMap<string, string>): Promise<Map<string, ChipRecord>> {
  const path = join(folder, STATISTICS_FILE);
  const found = new Map<string, ChipRecord>();
  try {
    const text = await readTextFile(path);
    if (text === null) return found;
    const json = parseJsonObject(text, path);
    if (json["version"] !== VERSION || !Array.isArray(json["chips"])) return found;
    for (const row of json["chips"] as unknown[]) {
      const record = readRecord(row);
      if (record !== null && versions.get(record.name) === record.version) found.set(record.name, record);
    }
  } catch {
    // a cache that cannot be read is made anew
  }
  return found;
}

/** Stores all records; a folder that cannot be written only warns. */
export async function storeRecords(folder: string, records: readonly ChipRecord[], onWarning?: OnWarning): Promise<void> {
  const rows = records.map(({ name, version, transform, crs, moments, labels }) =>
    JSON.stringify([name, version, transform, crs, moments.map(({ min, max, mean, m2, count }) => [min, max, mean, m2, count]), labels]),
  );
  const text = `{"version":${VERSION},"chips":[\n${rows.join(",\n")}\n]}\n`;
  await writeAtomic(join(folder, STATISTICS_FILE), text).catch((error: Error) => {
    onWarning?.({
      code: "STATISTICS_NOT_STORED",
      message: `The chips' statistics could not be stored in ${folder}: ${error.message}`,
      hint: "Give a `workingFolder` that can be written; without one every chip is read again each time.",
    });
  });
}

function readRecord(row: unknown): ChipRecord | null {
  if (!Array.isArray(row) || row.length !== 6) return null;
  const [name, version, transform, crs, moments, labels] = row as unknown[];
  if (typeof name !== "string" || typeof version !== "string") return null;
  if (crs !== null && typeof crs !== "string") return null;
  if (transform !== null && !isNumbers(transform, 6)) return null;
  if (!Array.isArray(moments) || !moments.every((entry) => isNumbers(entry, 5))) return null;
  if (!Array.isArray(labels) || !labels.every((entry) => isNumbers(entry, 2))) return null;
  return {
    name,
    version,
    transform: transform as Affine | null,
    crs,
    moments: (moments as number[][]).map(([min, max, mean, m2, count]): BandMoments => ({
      min: min!,
      max: max!,
      mean: mean!,
      m2: m2!,
      count: count!,
    })),
    labels: labels as [number, number][],
  };
}

function isNumbers(value: unknown, length: number): boolean {
  return Array.isArray(value) && value.length === length && value.every((entry) => typeof entry === "number" && Number.isFinite(entry));
}
