/** Python peers of the tests. */

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = new URL("../../../../", import.meta.url);
const python = join(process.env["GEOLEARN_PEERS"] ?? fileURLToPath(new URL("../.venv-peers", root)), "bin/python");

/** Whether the Python environment is there. */
export const pythonPresent = existsSync(python);

/** Runs a script of tests/oracles and gives what it prints, as JSON. */
export function runOracle(script: string, ...args: readonly string[]): unknown {
  const path = fileURLToPath(new URL(`tests/oracles/${script}`, root));
  return JSON.parse(
    execFileSync(python, [path, ...args], { encoding: "utf8", maxBuffer: 1 << 28, stdio: ["ignore", "pipe", "pipe"] }),
  ) as unknown;
}
