/**
 * Gradients of tfjs's own operations that tfjs refuses or gets wrong. tfjs keeps one gradient per operation for all backends; on another
 * backend than the engine's the former one stays in force.
 */

import * as tf from "@tensorflow/tfjs";
import { BACKEND_NAME } from "../graph/backend.ts";

/** What a gradient function returns: for each input a function that makes its gradient. */
export type InputGradients = Record<string, () => tf.Tensor>;

/** The gradient of an operation of tfjs. */
export interface GradientRule {
  /** Inputs kept for the backward pass; must be tfjs's own list where tfjs has a gradient. */
  readonly saves: readonly string[];
  readonly gradient: (dy: tf.Tensor, saved: readonly tf.Tensor[], attributes: Readonly<Record<string, unknown>>) => InputGradients;
}

const run = (kernel: string, inputs: Record<string, tf.Tensor>, attributes: Record<string, unknown>): tf.Tensor =>
  tf.engine().runKernel(kernel, inputs, attributes as tf.NamedAttrMap);

/** Any dilation: tfjs's refuses those above 1. */
const convolution = (input: string, filter: string): GradientRule => ({
  saves: ["x", "filter"],
  gradient: (dy, [x, weights], { strides, pad, dilations, dataFormat, dimRoundingMode }) => {
    const settings = { strides, pad, dilations, dataFormat, dimRoundingMode };
    return {
      x: () => run(input, { dy, filter: weights! }, { ...settings, inputShape: x!.shape }),
      filter: () => run(filter, { x: x!, dy }, { ...settings, filterShape: weights!.shape }),
    };
  },
});

const RULES: Readonly<Record<string, GradientRule>> = {
  Conv2D: convolution("Conv2DBackpropInput", "Conv2DBackpropFilter"),
  DepthwiseConv2dNative: convolution("DepthwiseConv2dNativeBackpropInput", "DepthwiseConv2dNativeBackpropFilter"),
};

/** Puts the rules in place of tfjs's gradients. */
export function registerGradients(): void {
  for (const [kernelName, { saves, gradient }] of Object.entries(RULES)) {
    const former = tf.getGradient(kernelName) as tf.GradConfig | undefined;
    tf.registerGradient({
      ...former,
      kernelName,
      inputsToSave: [...saves],
      gradFunc: (dy, saved, attributes) =>
        former === undefined || tf.getBackend() === BACKEND_NAME
          ? gradient(dy as tf.Tensor, saved, attributes as unknown as Record<string, unknown>)
          : former.gradFunc(dy, saved, attributes),
    });
  }
}
