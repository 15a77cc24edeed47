/** The state of a network and its optimizer, taken and put back. */

import { type HostTensor, readVariable, writeVariable } from "@geolearn/engine";
import type { AnyNetwork } from "@geolearn/models";

import type { TrainingStep } from "./training-step.ts";

/** Values of variables. Never written to: the engine gives every new state memory of its own. */
export type Held = readonly HostTensor[];

/** Values of all parameters of a network, running statistics included. */
export function holdNetwork(network: AnyNetwork): Held {
  return network.parameters.map(({ variable }) => readVariable(variable));
}

/** Puts held values back. */
export function restoreNetwork(network: AnyNetwork, held: Held): void {
  network.parameters.forEach(({ variable }, i) => writeVariable(variable, held[i]!));
}

/** Values of the optimizer's slots. */
export function holdOptimizer({ optimizer }: TrainingStep): Held {
  return optimizer.slots.map(({ variable }) => readVariable(variable));
}

/** Puts held slots back. */
export function restoreOptimizer({ optimizer }: TrainingStep, held: Held): void {
  optimizer.slots.forEach(({ variable }, i) => writeVariable(variable, held[i]!));
}

/** Makes an optimizer fresh again. */
export function resetOptimizer({ optimizer }: TrainingStep): void {
  for (const { variable } of optimizer.slots) {
    writeVariable(variable, { data: new Float32Array(variable.size), shape: variable.shape, dtype: "float32" });
  }
}
