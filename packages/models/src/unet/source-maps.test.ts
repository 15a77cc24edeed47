import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

import { expect, it } from "vitest";

const script = `
import { compile, startEngine } from "@geolearn/engine";
import { createUNet } from "./src/index.ts";
await startEngine();
const network = createUNet({ bands: 1, classes: 2, base: 2, depth: 1, norm: "group", groups: 2 }, { seed: 1 });
const inputs = { x: { shape: [1, 4, 4, 1], dtype: "float32" } };
const run = compile(({ x }) => ({ y: network.forward(x, { training: true }) }), { inputs });
const { y } = await run.run({ x: Float32Array.from({ length: 16 }, (_, i) => i) });
console.log(y.data.length);
`;

// The engine tells tfjs's own constants from a user's by the call stack, which looks otherwise when source maps are on, as they are in the command line.
it("networks are recorded with source maps switched on, too", () => {
  const options = ["--enable-source-maps", "--conditions=@geolearn/source", "--import", "tsx", "--input-type=module", "-e", script];
  const cwd = fileURLToPath(new URL("../../", import.meta.url));
  expect(execFileSync(process.execPath, options, { cwd, encoding: "utf8" }).trim()).toBe("32");
});
