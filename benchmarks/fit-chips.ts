/** What the training benchmarks share: real chips, and running both sides on them. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { exportTrainingData } from "@geolearn/data-prep";

import type { BenchmarkContext } from "./bench.ts";
import { builtProgram } from "./built.ts";
import { lastJson, measureProcess } from "./measure.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
/** Imagery and footprints, beside the repository. */
export const BANEPA: string = join(root, "../shared/data/buildings-banepa");

/** What one training run tells, on either side. */
export interface FitOutcome {
  readonly train: number;
  readonly valid: number;
  readonly seconds: number;
  readonly losses: readonly number[];
  readonly iou: readonly number[];
}

/** Exports the chips of the quality figure: 256 pixels, stride 128; a part of the image only when `rows` is given. */
export async function exportBanepa(out: string, rows?: number): Promise<void> {
  const { openRaster } = await import("@geolearn/core");
  const raster = await openRaster(join(BANEPA, "image.tif"));
  const [a, , c, , e, f] = raster.transform!;
  const extent = rows === undefined ? {} : { extent: [c, f + e * rows, c + a * raster.width, f] as const };
  await exportTrainingData({
    ...{ raster, labels: join(BANEPA, "buildings.geojson"), out, chipSize: 256, stride: 128 },
    ...{ allTiles: true, compression: "none" as const, ...extent },
  });
  await raster.close();
}

/** Whether the imagery is there. */
export function hasBanepa(): boolean {
  return existsSync(join(BANEPA, "image.tif"));
}

/** Our side: see `fit-program.ts`. */
export async function ourFit(options: Readonly<Record<string, unknown>>): Promise<FitOutcome & { readonly peakMb: number }> {
  const measured = await measureProcess(process.execPath, [await builtProgram("fit-program"), JSON.stringify(options)], { cwd: root });
  if (measured.code !== 0) throw new Error(`our side failed: ${measured.stderr.slice(-2000)}`);
  return { ...(lastJson(measured) as unknown as FitOutcome), peakMb: measured.peakMb };
}

/** A Python side that prints the same JSON. */
export async function peerFit(
  { python }: BenchmarkContext,
  script: string,
  options: Readonly<Record<string, string | number>>,
): Promise<FitOutcome & { readonly peakMb: number }> {
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const measured = await measureProcess(python!, [script, ...args]);
  if (measured.code !== 0) throw new Error(`${script} failed: ${measured.stderr.slice(-2000)}`);
  return { ...(lastJson(measured) as unknown as FitOutcome), peakMb: measured.peakMb };
}
