/** Matrix products as ONNX nodes. */

import type { LoweringRule } from "./lowering.ts";

const matMul: LoweringRule = (graph, value) => {
  const [a, b] = value.inputs.map((input) => graph.natural(input));
  const { transposeA, transposeB } = value.attributes;
  if (transposeA !== true && transposeB !== true) return { name: graph.op("MatMul", [a!, b!]), layout: "natural" };
  return {
    name: graph.fused("FusedMatMul", [a!, b!], { transA: +(transposeA === true), transB: +(transposeB === true) }),
    layout: "natural",
  };
};

/** Matrix rules by recorded operation. */
export const matrixRules: Readonly<Record<string, LoweringRule>> = { MatMul: matMul };
