/**
 * MobileNetV3 (Howard et al. 2019, https://arxiv.org/abs/1905.02244) at its full width, with the names and details of torchvision. Maps for decoders are
 * the last ones of each size; the last has the channels in front of the classifier.
 */

import type { LayerFactory } from "../network/blueprint.ts";
import { chain, type Layer } from "../network/layer.ts";
import { add, type Activation } from "../network/layers.ts";
import type { Backbone, BackboneOptions } from "./backbone.ts";
import { type Step, stepOf } from "./dilation.ts";
import { roundedWidth, squeezeAndExcite } from "./squeeze.ts";

type Block = readonly [size: number, width: number, outputs: number, squeezed: 0 | 1, activation: Activation, stride: 1 | 2];

/** Kernel, wide channels, outputs, whether channels are scaled, activation and stride of each block; outputs of the last layer. */
const VARIANTS: Readonly<Record<"large" | "small", { readonly blocks: readonly Block[]; readonly last: number }>> = {
  large: {
    blocks: [
      [3, 16, 16, 0, "relu", 1],
      [3, 64, 24, 0, "relu", 2],
      [3, 72, 24, 0, "relu", 1],
      [5, 72, 40, 1, "relu", 2],
      [5, 120, 40, 1, "relu", 1],
      [5, 120, 40, 1, "relu", 1],
      [3, 240, 80, 0, "hardSwish", 2],
      [3, 200, 80, 0, "hardSwish", 1],
      [3, 184, 80, 0, "hardSwish", 1],
      [3, 184, 80, 0, "hardSwish", 1],
      [3, 480, 112, 1, "hardSwish", 1],
      [3, 672, 112, 1, "hardSwish", 1],
      [5, 672, 160, 1, "hardSwish", 2],
      [5, 960, 160, 1, "hardSwish", 1],
      [5, 960, 160, 1, "hardSwish", 1],
    ],
    last: 960,
  },
  small: {
    blocks: [
      [3, 16, 16, 1, "relu", 2],
      [3, 72, 24, 0, "relu", 2],
      [3, 88, 24, 0, "relu", 1],
      [5, 96, 40, 1, "hardSwish", 2],
      [5, 240, 40, 1, "hardSwish", 1],
      [5, 240, 40, 1, "hardSwish", 1],
      [5, 120, 48, 1, "hardSwish", 1],
      [5, 144, 48, 1, "hardSwish", 1],
      [5, 288, 96, 1, "hardSwish", 2],
      [5, 576, 96, 1, "hardSwish", 1],
      [5, 576, 96, 1, "hardSwish", 1],
    ],
    last: 576,
  },
};
const STEM_WIDTH = 16;

/** Layers of a MobileNetV3 without its classifier. */
export function mobileNetV3(
  variant: keyof typeof VARIANTS,
  layers: LayerFactory,
  { bands, outputStride = 32, depth = 5, reducedTail = false, widened = false }: BackboneOptions,
): Backbone {
  const { blocks: all, last } = reducedTail ? reduced(VARIANTS[variant]) : VARIANTS[variant];
  // The layer in front of each halving: 0 is the stem.
  const taken = all.flatMap(([, , , , , stride], i) => (stride === 2 ? [i] : []));
  const blocks = all.slice(0, taken[depth - 1] ?? all.length);
  const stem = chain(
    layers.conv("encoder.features.0.0", { inputs: bands, outputs: STEM_WIDTH, size: 3, stride: 2 }),
    layers.norm("encoder.features.0.1", STEM_WIDTH, "hardSwish"),
  );
  const inputsOf = (i: number): number => (i === 0 ? STEM_WIDTH : all[i - 1]![2]);
  const body = blocks.map((block, i) => {
    const step = stepOf(1 + taken.filter((halving) => halving <= i).length, block[5], outputStride);
    return invertedResidual(layers, `encoder.features.${i + 1}.block`, inputsOf(i), block, step);
  });
  const wide = widened ? taken.at(-1)! : null;
  const widest = depth < 5 ? null : widestLayer(layers, `encoder.features.${all.length + 1}`, inputsOf(all.length), last);
  return {
    widths: [...taken.map((i) => (i === wide ? all[i]![1] : inputsOf(i))), last] as unknown as Backbone["widths"],
    bandLayer: "encoder.features.0.0",
    forward(image, context) {
      let x = stem(image, context);
      const maps = [];
      for (const [i, block] of body.entries()) {
        const map = i === wide ? block.widen(x, context) : x;
        if (taken.includes(i)) maps.push(map);
        x = i === wide ? block.narrow(map, context) : block.whole(map, context);
      }
      return [...maps, widest === null ? x : widest(x, context)];
    },
  };
}

/** The layer in front of the classifier. */
function widestLayer(layers: LayerFactory, name: string, inputs: number, outputs: number): Layer {
  return chain(layers.conv(`${name}.0`, { inputs, outputs, size: 1 }), layers.norm(`${name}.1`, outputs, "hardSwish"));
}

/** Half the channels behind the last halving. */
function reduced({ blocks, last }: (typeof VARIANTS)["large"]): (typeof VARIANTS)["large"] {
  const halving = blocks.findLastIndex(([, , , , , stride]) => stride === 2);
  return {
    blocks: blocks.map(([size, width, outputs, ...rest], i) => [
      size,
      i > halving ? width / 2 : width,
      i < halving ? outputs : outputs / 2,
      ...rest,
    ]),
    last: last / 2,
  };
}

/** A block, and its two parts: to its wide map, and from there to its end. */
interface InvertedResidual {
  readonly whole: Layer;
  readonly widen: Layer;
  readonly narrow: Layer;
}

/** Wide, depthwise, channels scaled, narrow; added to its input where both have one shape. */
function invertedResidual(layers: LayerFactory, name: string, inputs: number, block: Block, step: Step): InvertedResidual {
  const [size, width, outputs, squeezed, activation, stride] = block;
  let at = 0;
  const first: Layer[] = [];
  const parts: Layer[] = [];
  if (width !== inputs) {
    first.push(layers.conv(`${name}.0.0`, { inputs, outputs: width, size: 1 }), layers.norm(`${name}.0.1`, width, activation));
    at++;
  }
  parts.push(
    layers.conv(`${name}.${at}.0`, { inputs: width, outputs: width, size, groups: width, ...step }),
    layers.norm(`${name}.${at}.1`, width, activation),
  );
  if (squeezed === 1) {
    const between = { width, squeezed: roundedWidth(width / 4), inside: "relu", outside: "hardSigmoid" } as const;
    parts.push(squeezeAndExcite(layers, `${name}.${++at}`, between));
  }
  parts.push(layers.conv(`${name}.${++at}.0`, { inputs: width, outputs, size: 1 }), layers.norm(`${name}.${at}.1`, outputs, "none"));
  const body = chain(...first, ...parts);
  const whole: Layer = stride === 1 && inputs === outputs ? (x, context) => add(body(x, context), x) : body;
  return { whole, widen: chain(...first), narrow: chain(...parts) };
}
