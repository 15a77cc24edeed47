/**
 * Random cases of operations with PyTorch's results: a few are a fixture; GEOLEARN_RANDOM_CASES=200 has PyTorch make that many of each operation
 * now, from GEOLEARN_RANDOM_SEED.
 */

import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Packed, decoded, readFixture } from "./packed.ts";

/** One case; without `dy` only the result is compared. */
export interface RandomCase {
  readonly op: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- each operation knows its own options
  readonly options: any;
  readonly inputs: Readonly<Record<string, Packed>>;
  readonly output: Packed;
  readonly dy: Packed | null;
  readonly gradients: Readonly<Record<string, Packed>>;
}

const repository = fileURLToPath(new URL("../../../../", import.meta.url));

/** The cases to test. */
export function randomCases(): RandomCase[] {
  const count = process.env["GEOLEARN_RANDOM_CASES"];
  if (count === undefined) return readFixture<RandomCase[]>("kernels");
  const python = join(process.env["GEOLEARN_PEERS"] ?? join(repository, "../.venv-peers"), "bin/python");
  if (!existsSync(python)) throw new Error(`GEOLEARN_RANDOM_CASES needs PyTorch: no ${python} (scripts/setup-peers.sh makes it)`);
  const folder = mkdtempSync(join(tmpdir(), "engine-cases-"));
  try {
    const file = join(folder, "cases.json");
    const only = process.env["GEOLEARN_RANDOM_OPERATIONS"]?.split(",") ?? [];
    const seed = process.env["GEOLEARN_RANDOM_SEED"] ?? "2";
    execFileSync(python, [join(repository, "tests/oracles/engine_kernels.py"), "--count", count, "--seed", seed, "--out", file, ...only]);
    return JSON.parse(readFileSync(file, "utf8"), decoded) as RandomCase[];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
