/** Footprints for tests, and what shapely says of them. */

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import type { Feature, Features } from "@geolearn/core";

const root = fileURLToPath(new URL("../../../../", import.meta.url));
const python = join(process.env["GEOLEARN_PEERS"] ?? join(root, "../.venv-peers"), "bin/python");
const reference = join(root, "../shared/data/reference/buildings/footprints.json");
const oracle = join(root, "tests/oracles/footprints.py");

/** True when shapely can be asked. */
export const withPeers: boolean = existsSync(python);
/** True when the reference footprints are there. */
export const withReference: boolean = existsSync(reference);
if (!withPeers) process.stdout.write("footprints: tests against shapely are skipped, no Python environment (GEOLEARN_PEERS)\n");
if (!withReference) process.stdout.write("footprints: tests on the reference footprints are skipped, no shared/data/reference/buildings\n");

/** A made-up building: what it is, and what a noisy network makes of it. */
export interface KnownFootprint {
  readonly kind: string;
  readonly truth: readonly (readonly number[][])[];
  readonly noisy: readonly (readonly number[][])[];
}

/** The 44 reference footprints. */
export function referenceFootprints(): KnownFootprint[] {
  return (JSON.parse(readFileSync(reference, "utf8")) as { buildings: KnownFootprint[] }).buildings;
}

/** Footprints of the same kinds from a seed, turned by any angle. */
export function madeFootprints(seed: number): KnownFootprint[] {
  const output = execFileSync(python, [oracle, "make", String(seed)], { encoding: "utf8", maxBuffer: 2 ** 28 });
  return JSON.parse(output) as KnownFootprint[];
}

/** What tests/oracles/footprints.py says of one result. */
export interface FootprintJudgement {
  readonly valid: boolean;
  /** Intersection over union with the truth. */
  readonly iou: number;
  /** Area over that of the outline, less 1. */
  readonly areaChange: number;
  /** Farthest point from the outline. */
  readonly distance: number;
  readonly shortest: number;
  readonly vertices: number;
  readonly truthVertices: number;
  readonly holes: number;
  /** Largest deviation of a corner from a multiple of 90 and of 45 degrees, in degrees. */
  readonly offRight: number;
  readonly offDiagonal: number;
  /** Of round ones: intersection over union with the truth of the circle that each of several established methods fits to the outline. */
  readonly circles?: Readonly<Record<"kasa" | "taubin" | "geometric" | "absolute" | "area", number>>;
}

/** Asks shapely about results; `overlap` is the area that results have in common, summed over all pairs of one file. */
export function judgeFootprints(
  known: readonly KnownFootprint[],
  results: readonly Feature[],
): { footprints: FootprintJudgement[]; overlap: number } {
  const input = JSON.stringify({ known, results: results.map(({ geometry }) => geometry) });
  const output = execFileSync(python, [oracle, "judge"], { input, encoding: "utf8", maxBuffer: 2 ** 28 });
  return JSON.parse(output) as { footprints: FootprintJudgement[]; overlap: number };
}

/** The outlines as features without a reference system. */
export function asFeatures(known: readonly KnownFootprint[]): Features {
  const features = known.map(({ kind, noisy }): Feature => ({
    geometry: { type: "Polygon", coordinates: noisy.map((ring) => ring.map((position) => [...position])) },
    properties: { kind },
  }));
  return { name: "footprints", crs: null, features };
}
