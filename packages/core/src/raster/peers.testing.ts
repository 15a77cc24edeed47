/** Asks rasterio in tests what the right answer is. */

import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { samplesFrom } from "./samples.ts";
import type { Samples, SampleType } from "./raster.ts";

const root = fileURLToPath(new URL("../../../../", import.meta.url));
const python = join(process.env["GEOLEARN_PEERS"] ?? join(root, "../.venv-peers"), "bin/python");

/** True when rasterio can be asked. */
export const withPeers: boolean = existsSync(python);
if (!withPeers) process.stdout.write("raster: tests against rasterio are skipped, no Python environment (GEOLEARN_PEERS)\n");

/** Folder of shared test data. */
export const sharedData: string = join(root, "../shared/data");

/** A command of tests/oracles/raster_reads.py. */
export type PeerCommand = Readonly<Record<string, unknown>> & { readonly do: "make" | "read" | "warp" | "copy" };

/** What rasterio read. */
export interface PeerArray {
  readonly data: Samples;
  readonly mask: Uint8Array;
}

/** A temporary folder in which rasterio makes and reads rasters. */
export class Peers {
  readonly folder: string = mkdtempSync(join(tmpdir(), "geolearn-raster-"));
  #count = 0;

  path(name: string): string {
    return join(this.folder, name);
  }

  /** Runs commands; the answers of `read` and `warp` are given back in their order. */
  run(commands: readonly PeerCommand[]): PeerArray[] {
    const full = commands.map((command) =>
      command.do === "read" || command.do === "warp" ? { ...command, out: this.path(`out${this.#count++}`) } : command,
    );
    const script = join(root, "tests/oracles/raster_reads.py");
    const output = execFileSync(python, ["-W", "ignore", script], { input: JSON.stringify(full), encoding: "utf8" });
    const answers = output
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { dtype?: SampleType });
    return full.flatMap((command, i) => {
      if (!("out" in command)) return [];
      return [
        {
          data: samplesFrom(answers[i]!.dtype!, readFileSync(String(command["out"]))),
          mask: new Uint8Array(readFileSync(`${String(command["out"])}.mask`)),
        },
      ];
    });
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** How two arrays differ: largest difference, and the share of samples that differ. */
export function difference(a: Samples, b: Samples): { most: number; share: number } {
  if (a.length !== b.length) return { most: Infinity, share: 1 };
  let most = 0;
  let count = 0;
  for (let i = 0; i < a.length; i++) {
    if (a[i] === b[i] || (Number.isNaN(a[i]!) && Number.isNaN(b[i]!))) continue;
    count++;
    most = Math.max(most, Math.abs(a[i]! - b[i]!));
  }
  return { most, share: count / a.length };
}
