/** Where a training step's time goes, by operation and by node, beside what a large product of matrices reaches in the same process. */

import { performance } from "node:perf_hooks";

import { compile } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";

import type { NodeTime } from "./native-sessions.ts";

const LONGEST = 25;
const ROOF_SIDE = 1536;

/** Multiplications and additions of a convolution or product of matrices; 0 for what is bound by memory. */
function operationsOf({ type, inputs, output }: NodeTime): number {
  const [a, b] = inputs;
  const size = (shape: readonly number[]): number => shape.reduce((product, side) => product * side, 1);
  if (a === undefined || b === undefined) return 0;
  // Filters are [out, in / group, height, width] forward and [in, out / group, height, width] transposed.
  if (type === "Conv" || type === "FusedConv") return 2 * size(output) * size(b.slice(1));
  if (type === "ConvTranspose") return 2 * size(a) * size(b.slice(1));
  if (type === "MatMul" || type === "FusedMatMul" || type === "Gemm") return 2 * Math.sqrt(size(a) * size(b) * size(output));
  return 0;
}

/** Billions of operations per second of a product of two large square matrices. */
async function roof(): Promise<number> {
  const spec = { shape: [ROOF_SIDE, ROOF_SIDE], dtype: "float32" } as const;
  const product = compile(({ a, b }) => ({ c: tf.sum(tf.matMul(a as tf.Tensor2D, b as tf.Tensor2D), 1) }), {
    inputs: { a: spec, b: spec },
  });
  const [a, b] = [0.5, 0.25].map((value) => new Float32Array(ROOF_SIDE ** 2).fill(value)) as [Float32Array, Float32Array];
  const seconds: number[] = [];
  for (let run = 0; run < 12; run++) {
    const start = performance.now();
    await product.run({ a, b });
    if (run > 1) seconds.push((performance.now() - start) / 1000);
  }
  await product.dispose();
  return (2 * ROOF_SIDE ** 3) / Math.min(...seconds) / 1e9;
}

/** Prints the tables. */
export async function printStepProfile(nodes: readonly NodeTime[], { batch, threads }: { batch: number; threads: number }): Promise<void> {
  const total = nodes.reduce((sum, { ms }) => sum + ms, 0);
  const types = new Map<string, { ms: number; count: number; operations: number }>();
  for (const node of nodes) {
    const type = types.get(node.type) ?? { ms: 0, count: 0, operations: 0 };
    type.ms += node.ms;
    type.count++;
    type.operations += operationsOf(node);
    types.set(node.type, type);
  }
  const rate = (operations: number, ms: number): string => (operations > 0 ? `${(operations / ms / 1e6).toFixed(0)} Gop/s` : "");
  const line = (cells: readonly (string | number)[]): void => {
    const [ms, share, ...rest] = cells;
    console.log(`${String(ms).padStart(9)}  ${String(share).padStart(6)}  ${rest.join("  ")}`);
  };
  console.log(
    `one step of ${batch} images, ${threads} threads: ${total.toFixed(1)} ms in ${nodes.length} nodes; per image ${(total / batch).toFixed(1)} ms`,
  );
  line(["ms", "share", "operation"]);
  for (const [type, { ms, count, operations }] of [...types].sort((a, b) => b[1].ms - a[1].ms))
    line([ms.toFixed(2), `${((100 * ms) / total).toFixed(1)}%`, `${type} x ${count}`, rate(operations, ms)]);
  console.log(`the ${LONGEST} longest nodes`);
  for (const node of nodes.slice(0, LONGEST)) {
    const shapes = node.inputs.map((shape) => `[${shape.join(",")}]`).join(" ");
    line([
      node.ms.toFixed(2),
      `${((100 * node.ms) / total).toFixed(1)}%`,
      `${node.name} ${shapes} -> [${node.output.join(",")}]`,
      rate(operationsOf(node), node.ms),
    ]);
  }
  const operations = nodes.reduce((sum, node) => sum + operationsOf(node), 0);
  const peak = await roof();
  const bound = nodes.filter((node) => operationsOf(node) > 0).reduce((sum, { ms }) => sum + ms, 0);
  console.log(
    `roofline: a product of ${ROOF_SIDE} x ${ROOF_SIDE} matrices reaches ${peak.toFixed(0)} Gop/s; convolutions and products ${(operations / bound / 1e6).toFixed(0)} ` +
      `(${((100 * operations) / bound / 1e6 / peak).toFixed(0)} %), the whole step ${(operations / total / 1e6).toFixed(0)} (${((100 * operations) / total / 1e6 / peak).toFixed(0)} %)`,
  );
}
