/** The pieces both U-Nets are made of. */

import type * as tf from "@tensorflow/tfjs";

import type { LayerFactory } from "../network/blueprint.ts";
import { chain, type Layer, type LayerContext } from "../network/layer.ts";
import { add, concatChannels, doubleSize } from "../network/layers.ts";

/** Twice: 3x3 convolution without bias, norm, ReLU. */
export function doubleConv(layers: LayerFactory, name: string, inputs: number, outputs: number): Layer {
  return chain(
    layers.conv(`${name}.conv1`, { inputs, outputs, size: 3 }),
    layers.norm(`${name}.norm1`, outputs, "relu"),
    layers.conv(`${name}.conv2`, { inputs: outputs, outputs, size: 3 }),
    layers.norm(`${name}.norm2`, outputs, "relu"),
  );
}

/** One level of a decoder: a coarse map and the encoder's map of twice its size to one map of that size. */
export type DecoderLevel = (x: tf.Tensor4D, skip: tf.Tensor4D, context: LayerContext) => tf.Tensor4D;

/** How a decoder level of {@link reducedLevel} is made. */
export interface ReducedLevelOptions {
  /** 1x1 convolution with bias from the coarse map to the encoder's width. */
  readonly narrow: Layer;
  /** What follows the junction. */
  readonly convs: Layer;
  readonly skips: "concat" | "add";
}

/**
 * Nearest up-sampling, 1x1 convolution, junction with the encoder's map, two convolutions. The 1x1 convolution is
 * computed first: it sees one pixel at a time, so it gives the same before the pixels are repeated, for a quarter of the
 * work.
 */
export function reducedLevel({ narrow, convs, skips }: ReducedLevelOptions): DecoderLevel {
  return (x, skip, context) => {
    const up = doubleSize(narrow(x, context));
    return convs(skips === "concat" ? concatChannels(skip, up) : add(skip, up), context);
  };
}
