/** The pieces both U-Nets are made of. */

import type * as tf from "@tensorflow/tfjs";

import { chain, type Layer, type LayerContext, type LayerFactory } from "../network/blueprint.ts";
import { add, concatChannels, doubleSize } from "../network/layers.ts";

/** Twice: 3x3 convolution without bias, norm, ReLU. */
export function doubleConv(layers: LayerFactory, name: string, inputs: number, outputs: number): Layer {
  return chain(
    layers.conv(`${name}.conv1`, { inputs, outputs, size: 3 }),
    layers.norm(`${name}.norm1`, outputs, true),
    layers.conv(`${name}.conv2`, { inputs: outputs, outputs, size: 3 }),
    layers.norm(`${name}.norm2`, outputs, true),
  );
}

/** One level of a decoder: a coarse map and the encoder's map of twice its size to one map of that size. */
export type DecoderLevel = (x: tf.Tensor4D, skip: tf.Tensor4D, context: LayerContext) => tf.Tensor4D;

/** Where the parts of {@link reducedLevel} are and how wide. */
export interface ReducedLevelOptions {
  /** Name of the 1x1 convolution behind the up-sampling. */
  readonly reduce: string;
  /** Name of the two convolutions behind the junction. */
  readonly block: string;
  readonly inputs: number;
  /** Channels of the encoder's map. */
  readonly skip: number;
  readonly outputs: number;
  readonly skips: "concat" | "add";
}

/**
 * Nearest up-sampling, 1x1 convolution with bias to the encoder's width, junction, two convolutions. The 1x1 convolution
 * is computed first: it sees one pixel at a time, so it gives the same before the pixels are repeated, for a quarter of
 * the work.
 */
export function reducedLevel(layers: LayerFactory, { reduce, block, inputs, skip, outputs, skips }: ReducedLevelOptions): DecoderLevel {
  const narrow = layers.conv(reduce, { inputs, outputs: skip, size: 1, bias: true });
  const convs = doubleConv(layers, block, skips === "concat" ? 2 * skip : skip, outputs);
  return (x, skipped, context) => {
    const up = doubleSize(narrow(x, context));
    return convs(skips === "concat" ? concatChannels(skipped, up) : add(skipped, up), context);
  };
}
