/** Matrix products as ONNX nodes. */

import type { LoweringRule } from "./lowering.ts";

const matMul: LoweringRule = (graph, value) => {
  const [a, b] = value.inputs.map((input) => graph.natural(input));
  const { transposeA, transposeB } = value.attributes;
  const [rankA, rankB] = value.inputs.map(({ shape }) => shape.length);
  const ranks = { transA: transposeA === true ? rankA! : 0, transB: transposeB === true ? rankB! : 0 };
  return { name: graph.product(a!, b!, ranks), layout: "natural" };
};

/** Matrix rules by recorded operation. */
export const matrixRules: Readonly<Record<string, LoweringRule>> = { MatMul: matMul };
