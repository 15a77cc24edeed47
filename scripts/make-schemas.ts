/** Writes the JSON Schemas of the command line's results into packages/geolearn/schemas. Run: pnpm schemas */

import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { publishedSchemas } from "../packages/geolearn/src/cli/results.ts";

const folder = resolve(import.meta.dirname, "../packages/geolearn/schemas");
mkdirSync(folder, { recursive: true });
for (const [command, schema] of Object.entries(publishedSchemas())) {
  writeFileSync(join(folder, `${command}.json`), `${JSON.stringify(schema, null, 2)}\n`);
}
