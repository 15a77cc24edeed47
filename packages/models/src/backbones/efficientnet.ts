/**
 * EfficientNet B0 to B3 (Tan and Le 2019, https://arxiv.org/abs/1905.11946) with the names of torchvision. The maps are
 * those segmentation_models_pytorch hands to its decoders. Whole blocks are never dropped in training.
 */

import type { LayerFactory } from "../network/blueprint.ts";
import { chain, type Layer } from "../network/layer.ts";
import { add } from "../network/layers.ts";
import type { Backbone, BackboneOptions } from "./backbone.ts";
import { type Step, stepOf } from "./dilation.ts";
import { type Pad, paddingOf } from "./padding.ts";
import { roundedWidth, squeezeAndExcite } from "./squeeze.ts";

/** Which of the family. */
export type EfficientNetVariant = 0 | 1 | 2 | 3;

/** Factors of width and depth, and the side of the images each was made for. */
const VARIANTS = [
  { width: 1, depth: 1, side: 224 },
  { width: 1, depth: 1.1, side: 240 },
  { width: 1.1, depth: 1.2, side: 260 },
  { width: 1.2, depth: 1.4, side: 300 },
] as const;

/** Expansion, kernel, first stride, width and blocks of each stage of B0. */
const STAGES = [
  [1, 3, 1, 16, 1],
  [6, 3, 2, 24, 2],
  [6, 5, 2, 40, 2],
  [6, 3, 2, 80, 3],
  [6, 5, 1, 112, 3],
  [6, 5, 2, 192, 4],
  [6, 3, 1, 320, 1],
] as const;
/** Stages whose output is a map for the decoder, behind the stem's. */
const MAP_STAGES = [1, 2, 4, 6];
/** Blocks whose outputs segmentation_models_pytorch takes in its `efficientnet-b0`, the third in the middle of its stage. */
const B0_MAP_BLOCKS = [2, 4, 8, 15];

/** One block: wide, depthwise, squeezed and excited, narrow. */
export interface EfficientBlock {
  readonly stage: number;
  readonly index: number;
  readonly expansion: number;
  readonly size: number;
  readonly stride: number;
  readonly inputs: number;
  readonly outputs: number;
}

/** Channels of the first convolution. */
export function efficientStem(variant: EfficientNetVariant): number {
  return scaledWidth(32, VARIANTS[variant].width);
}

/** The blocks from front to back. */
export function efficientBlocks(variant: EfficientNetVariant): readonly EfficientBlock[] {
  const { width, depth } = VARIANTS[variant];
  const blocks: EfficientBlock[] = [];
  let inputs = efficientStem(variant);
  for (const [stage, [expansion, size, firstStride, baseWidth, baseCount]] of STAGES.entries()) {
    const outputs = scaledWidth(baseWidth, width);
    const count = Math.ceil(baseCount * depth);
    for (let index = 0; index < count; index++) {
      blocks.push({ stage, index, expansion, size, stride: index === 0 ? firstStride : 1, inputs, outputs });
      inputs = outputs;
    }
  }
  return blocks;
}

/** Layers of an EfficientNet up to its last stage, without the widest layer and the classifier. */
export function efficientNet(
  variant: EfficientNetVariant,
  layers: LayerFactory,
  { bands, convention, outputStride = 32, depth = 5 }: BackboneOptions,
): Backbone {
  let { side }: { side: number } = VARIANTS[variant];
  const moving = (size: number, step: Step): Moving => {
    const pad = paddingOf(convention, { size, ...step, side });
    side = Math.ceil(side / step.stride);
    return { ...step, pad };
  };
  const stemWidth = efficientStem(variant);
  const stem = chain(
    layers.conv("encoder.features.0.0", { inputs: bands, outputs: stemWidth, size: 3, ...moving(3, { stride: 2, dilation: 1 }) }),
    layers.norm("encoder.features.0.1", stemWidth, "swish"),
  );
  const described = efficientBlocks(variant);
  const taken =
    variant === 0 && convention === "tensorflow"
      ? B0_MAP_BLOCKS
      : MAP_STAGES.map((stage) => described.findLastIndex((block) => block.stage === stage));
  const blocks = described.slice(0, taken[depth - 2]! + 1).map((block, position) => {
    const level = 2 + taken.filter((map) => map < position).length;
    return mbConv(layers, block, moving(block.size, stepOf(level, block.stride, outputStride)));
  });
  return {
    widths: [stemWidth, ...(taken.map((position) => described[position]!.outputs) as [number, number, number, number])],
    bandLayer: "encoder.features.0.0",
    forward(image, context) {
      let x = stem(image, context);
      const maps = [x];
      for (const [position, block] of blocks.entries()) {
        x = block(x, context);
        if (taken.includes(position)) maps.push(x);
      }
      return maps;
    },
  };
}

/** Name of a block in torchvision. */
export function efficientBlockName({ stage, index }: EfficientBlock): string {
  return `features.${stage + 1}.${index}.block`;
}

/** How a depthwise convolution moves. */
interface Moving extends Step {
  readonly pad: Pad;
}

function mbConv(layers: LayerFactory, block: EfficientBlock, moving: Moving): Layer {
  const { expansion, size, stride, inputs, outputs } = block;
  const name = `encoder.${efficientBlockName(block)}`;
  const width = roundedWidth(inputs * expansion);
  const wide =
    expansion === 1 ? [] : [layers.conv(`${name}.0.0`, { inputs, outputs: width, size: 1 }), layers.norm(`${name}.0.1`, width, "swish")];
  const at = wide.length === 0 ? 0 : 1;
  const body = chain(
    ...wide,
    layers.conv(`${name}.${at}.0`, { inputs: width, outputs: width, size, groups: width, ...moving }),
    layers.norm(`${name}.${at}.1`, width, "swish"),
    squeezeAndExcite(layers, `${name}.${at + 1}`, {
      ...{ width, squeezed: Math.max(1, Math.floor(inputs / 4)) },
      ...{ inside: "swish", outside: "sigmoid" },
    }),
    layers.conv(`${name}.${at + 2}.0`, { inputs: width, outputs, size: 1 }),
    layers.norm(`${name}.${at + 2}.1`, outputs, "none"),
  );
  return stride === 1 && inputs === outputs ? (x, context) => add(body(x, context), x) : body;
}

function scaledWidth(width: number, factor: number): number {
  return roundedWidth(width * factor);
}
