/** Every recorded operation and how it becomes ONNX nodes. */

import { arrayRules } from "./arrays.ts";
import { convolutionRules } from "./convolution.ts";
import { detectionRules } from "./detection.ts";
import { elementwiseRules } from "./elementwise.ts";
import { groupedRules } from "./grouped.ts";
import { indexingRules } from "./indexing.ts";
import { localResponseRules } from "./local-response.ts";
import type { LoweringRule } from "./lowering.ts";
import { matrixRules } from "./matrix.ts";
import { morphologyRules } from "./morphology.ts";
import { normRules } from "./norm.ts";
import { poolRules } from "./pool.ts";
import { randomRules } from "./random.ts";
import { rearrangeRules } from "./rearrange.ts";
import { reductionRules } from "./reduction.ts";
import { resizeRules } from "./resize.ts";
import { samplingRules } from "./sampling.ts";
import { scanRules } from "./scan.ts";
import { volumeRules } from "./volumes.ts";

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
    volumeRules,
    morphologyRules,
    localResponseRules,
    scanRules,
    samplingRules,
    detectionRules,
    rearrangeRules,
  ].flatMap((rules) => Object.entries(rules)),
);
