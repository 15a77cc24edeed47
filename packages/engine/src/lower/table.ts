/** Every recorded operation and how it becomes ONNX nodes. */

import { arrayRules } from "./arrays.ts";
import { convolutionRules } from "./convolution.ts";
import { elementwiseRules } from "./elementwise.ts";
import { groupedRules } from "./grouped.ts";
import { indexingRules } from "./indexing.ts";
import type { LoweringRule } from "./lowering.ts";
import { matrixRules } from "./matrix.ts";
import { normRules } from "./norm.ts";
import { poolRules } from "./pool.ts";
import { randomRules } from "./random.ts";
import { reductionRules } from "./reduction.ts";
import { resizeRules } from "./resize.ts";

/** Rules by recorded operation. */
export const lowerings: ReadonlyMap<string, LoweringRule> = new Map(
  [
    elementwiseRules,
    reductionRules,
    arrayRules,
    indexingRules,
    matrixRules,
    convolutionRules,
    groupedRules,
    poolRules,
    normRules,
    resizeRules,
    randomRules,
  ].flatMap((rules) => Object.entries(rules)),
);
