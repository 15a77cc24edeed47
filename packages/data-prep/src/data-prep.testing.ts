/** What the tests of this room share: scratch folders, small rasters and labels, and the Python peers. */

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import {
  type Affine,
  encodeGeoTiff,
  type Feature,
  type Features,
  GeoLearnError,
  type GeoTiffProfile,
  parseCrs,
  type Samples,
  type Warning,
} from "@geolearn/core";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const python = join(process.env["GEOLEARN_PEERS"] ?? join(root, "../.venv-peers"), "bin/python");

/** True when rasterio, shapely and numpy can be asked. */
export const withPeers: boolean = existsSync(python);
if (!withPeers) process.stdout.write("data-prep: tests against rasterio are skipped, no Python environment (GEOLEARN_PEERS)\n");

/** Folder of shared real data. */
export const sharedData: string = join(root, "../shared/data");
/** True when the real data are there. */
export const withData: boolean = existsSync(sharedData);
if (!withData) process.stdout.write("data-prep: tests with real data are skipped, ../shared/data is missing\n");

/** Asks tests/oracles/data_prep.py. */
export function askPeer<T>(command: Readonly<Record<string, unknown>>): T {
  const script = join(root, "tests/oracles/data_prep.py");
  return JSON.parse(execFileSync(python, ["-W", "ignore", script], { input: JSON.stringify(command), encoding: "utf8" })) as T;
}

/** A folder that is removed at the end. */
export class Scratch {
  readonly folder: string = mkdtempSync(join(tmpdir(), "geolearn-data-prep-"));

  path(...names: string[]): string {
    return join(this.folder, ...names);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** One metre pixels in UTM zone 33, north up. */
export const GRID: Affine = [1, 0, 500_000, 0, -1, 5_000_000];

/** Writes a small GeoTIFF. */
export async function writeRaster(
  path: string,
  image: { readonly data: Samples; readonly bands: number; readonly width: number; readonly height: number },
  profile: Partial<GeoTiffProfile> & Pick<GeoTiffProfile, "sampleType">,
): Promise<string> {
  await writeFile(path, await encodeGeoTiff(image, { transform: GRID, crs: parseCrs(32633), compression: "none", ...profile }));
  return path;
}

/** A square in world coordinates of {@link GRID}, in pixels from the upper left corner. */
export function square(col: number, row: number, width: number, height: number, properties: Feature["properties"] = {}): Feature {
  const [x0, y0] = [500_000 + col, 5_000_000 - row];
  const ring = [
    [x0, y0],
    [x0, y0 - height],
    [x0 + width, y0 - height],
    [x0 + width, y0],
    [x0, y0],
  ];
  return { geometry: { type: "Polygon", coordinates: [ring] }, properties };
}

/** Features in UTM zone 33. */
export function labelsOf(features: readonly Feature[], name = "labels/buildings.geojson"): Features {
  return { name, crs: parseCrs(32633), features };
}

/** Collects warnings. */
export function collectWarnings(): { readonly warnings: Warning[]; readonly onWarning: (warning: Warning) => void } {
  const warnings: Warning[] = [];
  return { warnings, onWarning: (warning) => void warnings.push(warning) };
}

/** Code of the error a promise ends with. */
export function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "no error",
    (error: unknown) => (GeoLearnError.is(error) ? error.code : String(error)),
  );
}

/** Digest of every file below a folder. */
export function digests(folder: string): Record<string, string> {
  const all: Record<string, string> = {};
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    all[path.slice(folder.length + 1)] = createHash("sha256").update(readFileSync(path)).digest("hex");
  }
  return all;
}
