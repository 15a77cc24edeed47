/** Asks pycocotools and NumPy in tests what the right answer is. */

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../../", import.meta.url));
const python = join(process.env["GEOLEARN_PEERS"] ?? join(root, "../.venv-peers"), "bin/python");

/** True when Python can be asked. */
export const withPeers: boolean = existsSync(python);
if (!withPeers) process.stdout.write("metrics: tests against pycocotools are skipped, no Python environment (GEOLEARN_PEERS)\n");

/** The answer of a command of tests/oracles/objects.py. */
export function askPeers<Answer>(command: string, request: object): Answer {
  const script = join(root, "tests/oracles/objects.py");
  const output = execFileSync(python, ["-W", "ignore", script, command], {
    input: JSON.stringify(request),
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  });
  return JSON.parse(output) as Answer;
}
