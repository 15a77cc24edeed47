/**
 * Gradients of tfjs's own operations that tfjs refuses or gets wrong. tfjs keeps one gradient per operation for all backends; on another
 * backend than the engine's the former one stays in force.
 */

import * as tf from "@tensorflow/tfjs";
import { BACKEND_NAME } from "../graph/backend.ts";
import { convolutionGradients } from "./convolution.ts";
import { elementwiseGradients } from "./elementwise.ts";
import { imageGradients } from "./images.ts";
import { indexingGradients } from "./indexing.ts";
import { reductionGradients } from "./reduction.ts";
import type { GradientRule } from "./rule.ts";

/** Puts the rules in place of tfjs's gradients. */
export function registerGradients(): void {
  const tables = [convolutionGradients, elementwiseGradients, imageGradients, indexingGradients, reductionGradients];
  for (const [kernelName, rule] of tables.flatMap((table) => Object.entries(table))) register(kernelName, rule);
}

function register(kernelName: string, { saves = [], savesAll, savesOutputs, gradient }: GradientRule): void {
  const former = tf.getGradient(kernelName) as tf.GradConfig | undefined;
  const kept = former?.inputsToSave ?? [];
  // tfjs's gradient reads its tensors by place, so what it keeps comes first.
  const names = [...kept, ...saves.filter((name) => !kept.includes(name))];
  const outputs = savesOutputs ?? former?.outputsToSave ?? [];
  const saveAll = savesAll ?? former?.saveAllInputs === true;
  tf.registerGradient({
    kernelName,
    inputsToSave: names,
    outputsToSave: outputs as boolean[],
    saveAllInputs: saveAll,
    gradFunc: (dy, saved, attributes) => {
      if (former !== undefined && tf.getBackend() !== BACKEND_NAME) {
        const results = saved.slice(names.length);
        return former.gradFunc(dy, [...saved.slice(0, kept.length), ...results], attributes);
      }
      const wanted = saveAll ? saved : [...saves.map((name) => saved[names.indexOf(name)]!), ...saved.slice(names.length)];
      return gradient(Array.isArray(dy) ? dy : [dy], wanted, attributes as unknown as Record<string, unknown>);
    },
  });
}
