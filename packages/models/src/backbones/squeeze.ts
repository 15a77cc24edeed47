/** What mobile networks have in common. */

import type { LayerFactory } from "../network/blueprint.ts";
import type { Layer } from "../network/layer.ts";
import { activate, type Activation, globalMean, multiply } from "../network/layers.ts";

/** How channels are scaled. */
export interface SqueezeOptions {
  readonly width: number;
  /** Channels in the middle. */
  readonly squeezed: number;
  /** Activation in the middle. */
  readonly inside: Activation;
  /** What makes factors of 0 to 1. */
  readonly outside: Activation;
}

/** Scales each channel by what a small network makes of the means of all (Hu et al. 2018, https://arxiv.org/abs/1709.01507). */
export function squeezeAndExcite(layers: LayerFactory, name: string, { width, squeezed, inside, outside }: SqueezeOptions): Layer {
  const narrow = layers.conv(`${name}.fc1`, { inputs: width, outputs: squeezed, size: 1, bias: true });
  const wide = layers.conv(`${name}.fc2`, { inputs: squeezed, outputs: width, size: 1, bias: true });
  return (x, context) => multiply(x, activate(wide(activate(narrow(globalMean(x), context), inside), context), outside));
}

/** The nearest multiple of 8 that is not more than a tenth below. */
export function roundedWidth(width: number): number {
  const rounded = Math.max(8, Math.floor((width + 4) / 8) * 8);
  return rounded < 0.9 * width ? rounded + 8 : rounded;
}
