/** Gradients of convolutions at any dilation; tfjs refuses dilations above 1, and transposed volumes altogether. */

import type * as tf from "@tensorflow/tfjs";
import { type GradientRule, type GradientTable, runKernel } from "./rule.ts";

const convolution = (input: string, filter: string): GradientRule => ({
  saves: ["x", "filter"],
  gradient: ([dy], [x, weights], { strides, pad, dilations, dataFormat, dimRoundingMode }) => {
    const settings = { strides, pad, dilations, dataFormat, dimRoundingMode };
    return {
      x: () => runKernel(input, { dy: dy!, filter: weights! }, { ...settings, inputShape: x!.shape }),
      filter: () => runKernel(filter, { x: x!, dy: dy! }, { ...settings, filterShape: weights!.shape }),
    };
  },
});

/** A transposed convolution is an input gradient; its own gradients are a convolution and a filter gradient. */
const transposed = (forward: string, filter: string): GradientRule => ({
  saves: ["dy", "filter"],
  gradient: ([ddx], [dy, weights], { strides, pad, dilations, dataFormat, dimRoundingMode }) => {
    const settings = { strides, pad, dilations, dataFormat, dimRoundingMode };
    return {
      dy: () => runKernel(forward, { x: ddx!, filter: weights! }, settings),
      filter: () => runKernel(filter, { x: ddx!, dy: dy! }, { ...settings, filterShape: weights!.shape }),
    };
  },
});

/** Of the two outputs only the values have a gradient. */
const maxPoolWithArgmax: GradientRule = {
  saves: ["x"],
  savesOutputs: [true, false],
  gradient: ([dy], [x, y], { filterSize, strides, pad }) => ({
    x: () => runKernel("MaxPoolGrad", { dy: dy!, input: x!, output: y as tf.Tensor }, { filterSize, strides, pad }),
  }),
};

/** tfjs forgets that the windows were counted by rounding up. */
const pool = (gradient: string, savesOutput: boolean): GradientRule => ({
  saves: ["x"],
  savesOutputs: [savesOutput],
  gradient: ([dy], [x, y], { filterSize, strides, pad, dimRoundingMode }) => ({
    x: () =>
      runKernel(gradient, { dy: dy!, input: x!, ...(savesOutput ? { output: y! } : {}) }, { filterSize, strides, pad, dimRoundingMode }),
  }),
});

/** Rules by name of the operation. */
export const convolutionGradients: GradientTable = {
  Conv2D: convolution("Conv2DBackpropInput", "Conv2DBackpropFilter"),
  DepthwiseConv2dNative: convolution("DepthwiseConv2dNativeBackpropInput", "DepthwiseConv2dNativeBackpropFilter"),
  Conv3D: convolution("Conv3DBackpropInputV2", "Conv3DBackpropFilterV2"),
  Conv2DBackpropInput: transposed("Conv2D", "Conv2DBackpropFilter"),
  Conv3DBackpropInputV2: transposed("Conv3D", "Conv3DBackpropFilterV2"),
  MaxPoolWithArgmax: maxPoolWithArgmax,
  MaxPool: pool("MaxPoolGrad", true),
  AvgPool: pool("AvgPoolGrad", false),
  MaxPool3D: pool("MaxPool3DGrad", true),
  AvgPool3D: pool("AvgPool3DGrad", false),
};
