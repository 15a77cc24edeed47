/**
 * Feature pyramid (Lin et al. 2017, https://arxiv.org/abs/1612.03144) with the names and details of torchvision's: each map of an encoder, narrowed
 * to one width, plus the coarser one enlarged, smoothed by a 3x3 convolution.
 */

import type * as tf from "@tensorflow/tfjs";

import type { LayerFactory } from "../network/blueprint.ts";
import type { LayerContext } from "../network/layer.ts";
import { activate, add, doubleSize } from "../network/layers.ts";
import type { FirstValues } from "../network/parameter-spec.ts";

/** How a pyramid is made. */
export interface FeaturePyramidOptions {
  /** Channels of the encoder's maps, the largest map first; each has half the sides of the one before. */
  readonly inputs: readonly number[];
  /** Channels of every map of the pyramid. */
  readonly width: number;
  /**
   * `"p6p7"`: two more maps behind the coarsest, each by a 3x3 convolution of stride 2 (torchvision's `LastLevelP6P7` on P5, as in its RetinaNet).
   * @defaultValue none
   */
  readonly last?: "p6p7";
}

/** Maps of an encoder, the largest first, to those of the pyramid in the same order. */
export type FeaturePyramid = (maps: readonly tf.Tensor4D[], context: LayerContext) => readonly tf.Tensor4D[];

/** Declares the layers of a pyramid, under torchvision's names behind `fpn.`. */
export function featurePyramid(layers: LayerFactory, { inputs, width, last }: FeaturePyramidOptions): FeaturePyramid {
  const conv = (name: string, channels: number, size: number, stride = 1) =>
    layers.conv(`fpn.${name}`, { inputs: channels, outputs: width, size, stride, bias: true, first: firstValues(channels * size * size) });
  const narrow = inputs.map((channels, i) => conv(`inner_blocks.${i}.0`, channels, 1));
  const smooth = inputs.map((_, i) => conv(`layer_blocks.${i}.0`, width, 3));
  const further = last === undefined ? null : ([conv("extra_blocks.p6", width, 3, 2), conv("extra_blocks.p7", width, 3, 2)] as const);

  return (maps, context) => {
    const pyramid: tf.Tensor4D[] = [];
    let above: tf.Tensor4D | null = null;
    for (let i = maps.length - 1; i >= 0; i--) {
      const own = narrow[i]!(maps[i]!, context);
      above = above === null ? own : add(own, doubleSize(above));
      pyramid.unshift(smooth[i]!(above, context));
    }
    if (further !== null) {
      const p6 = further[0](pyramid.at(-1)!, context);
      pyramid.push(p6, further[1](activate(p6, "relu"), context));
    }
    return pyramid;
  };
}

/** Uniform with variance 1 / fan-in, biases 0: what torchvision's pyramid begins with. */
function firstValues(fanIn: number): { weight: FirstValues; bias: FirstValues } {
  return { weight: { kind: "uniform", bound: Math.sqrt(3 / fanIn) }, bias: { kind: "constant", value: 0 } };
}
