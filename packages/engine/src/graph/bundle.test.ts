/** Recording in a bundle, where the call stack does not tell tfjs from its caller. */

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";
import { afterAll, expect, test } from "vitest";

const engine = fileURLToPath(new URL("../", import.meta.url));
// Under the package, so that what stays outside of the bundle is found from there.
const folder = mkdtempSync(join(engine, "../node_modules/bundle-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const PROGRAM = `
import * as tf from "@tensorflow/tfjs";
import { compile, constant, createOptimizer, dropout, softmaxCrossEntropy, startEngine } from "./index.ts";

await startEngine({ threads: 1 });
const weights = tf.variable(tf.ones([3, 2]));
const adam = createOptimizer({ type: "adamw" }, [weights]);
const scalar = { shape: [], dtype: "float32" };
const inputs = { x: { shape: [4, 3], dtype: "float32" }, y: { shape: [4], dtype: "int32" }, rate: scalar, number: scalar, seed: { shape: [], dtype: "int32" } };
const given = { x: Float32Array.from({ length: 12 }, (_, i) => i / 12), y: Int32Array.of(0, 1, 0, 1), rate: 0.1, number: 1, seed: 3 };
const step = (change) => (tensors) => {
  const { value, grads } = tf.variableGrads(() => softmaxCrossEntropy(tf.matMul(change(tensors.x, tensors), weights), tensors.y), [weights]);
  adam.apply([grads[weights.name]], tensors.rate, tensors.number);
  return { loss: value };
};
const cases = {
  plain: step((x) => x),
  numbers: step((x) => tf.add(tf.mul(x, 2), 0.5)),
  zerosAndOnes: step((x) => tf.mul(tf.add(x, tf.zeros([3])), tf.ones([4, 1]))),
  constant: step((x) => tf.mul(x, constant(Float32Array.of(1, 2, 3)))),
  dropout: step((x, { seed }) => dropout(x, 0.5, seed, 1)),
  scalar: step((x) => tf.mul(x, tf.scalar(0.3))),
  tensor: step((x) => tf.mul(x, tf.tensor1d([1, 2, 3]))),
  random: step((x) => tf.mul(x, tf.randomNormal([3]))),
  tfjsDropout: step((x) => tf.dropout(x, 0.5)),
};
const results = {};
for (const [name, fn] of Object.entries(cases)) {
  try {
    const compiled = compile(fn, { inputs });
    const { loss } = await compiled.run(given);
    results[name] = Number.isFinite(loss.data[0]) ? "runs" : "not finite";
    await compiled.dispose();
  } catch (error) {
    results[name] = error.code ?? String(error);
  }
}
process.stdout.write(JSON.stringify(results));
`;

test.each([false, true])("host values are refused, what tfjs makes itself is not (minified: %s)", async (minify) => {
  const entry = join(engine, "bundle-entry.ts");
  const out = join(folder, `bundle-${minify}.mjs`);
  const built = await build({
    stdin: { contents: PROGRAM, resolveDir: engine, sourcefile: entry, loader: "ts" },
    ...{ bundle: true, write: false, minify, format: "esm", platform: "node", conditions: ["@geolearn/source"], logLevel: "silent" },
    external: ["onnxruntime-node", "onnxruntime-node/*"],
    // tfjs's bundle for Node requires what Node has.
    banner: { js: 'import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url);' },
  });
  writeFileSync(out, built.outputFiles[0]!.text);
  const refused = "RECORDING_CONSTANT";
  expect(JSON.parse(execFileSync(process.execPath, [out], { encoding: "utf8" }))).toEqual({
    ...{ plain: "runs", numbers: "runs", zerosAndOnes: "runs", constant: "runs", dropout: "runs" },
    ...{ scalar: refused, tensor: refused, random: refused, tfjsDropout: refused },
  });
});
