/**
 * MobileNetV2 (Sandler et al. 2018, https://arxiv.org/abs/1801.04381) at its full width, with the names of torchvision.
 * The maps are those segmentation_models_pytorch hands to its decoders; the last one has the 1280 channels in front of
 * the classifier.
 */

import type { LayerFactory } from "../network/blueprint.ts";
import { chain, type Layer } from "../network/layer.ts";
import { add } from "../network/layers.ts";
import type { Backbone, BackboneOptions } from "./backbone.ts";
import { type Step, stepOf } from "./dilation.ts";
import { type Pad, paddingOf } from "./padding.ts";

/** Expansion, width, blocks and first stride of each stage. */
const STAGES = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const;
const LAST_WIDTH = 1280;
/** Positions in `features` whose output is a map for the decoder; the last is that of the widest layer. */
const MAP_POSITIONS = [1, 3, 6, 13, 18];
/** Side of the images the network was made for. */
const NATIVE_SIDE = 224;

/** One inverted residual block. */
export interface MobileBlock {
  /** Position in `features`. */
  readonly position: number;
  readonly stage: number;
  readonly index: number;
  readonly expansion: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly stride: number;
}

/** The blocks from front to back. */
export function mobileBlocks(): readonly MobileBlock[] {
  const blocks: MobileBlock[] = [];
  let inputs = 32;
  for (const [stage, [expansion, outputs, count, firstStride]] of STAGES.entries()) {
    for (let index = 0; index < count; index++) {
      blocks.push({ position: blocks.length + 1, stage, index, expansion, inputs, outputs, stride: index === 0 ? firstStride : 1 });
      inputs = outputs;
    }
  }
  return blocks;
}

/** Layers of a MobileNetV2 without its classifier. */
export function mobileNetV2(layers: LayerFactory, { bands, convention, outputStride = 32, depth = 5 }: BackboneOptions): Backbone {
  let side = NATIVE_SIDE;
  const moving = (step: Step): Moving => {
    const pad = paddingOf(convention, { size: 3, ...step, side });
    side = Math.ceil(side / step.stride);
    return { ...step, pad };
  };
  const end = MAP_POSITIONS[depth - 1]!;
  const levelOf = (position: number): number => 1 + MAP_POSITIONS.filter((map) => map < position).length;
  const stem = chain(
    layers.conv("encoder.features.0.0", { inputs: bands, outputs: 32, size: 3, ...moving({ stride: 2, dilation: 1 }) }),
    layers.norm("encoder.features.0.1", 32, "relu6"),
  );
  const blocks = mobileBlocks()
    .filter(({ position }) => position <= end)
    .map((block) => invertedResidual(layers, block, moving(stepOf(levelOf(block.position), block.stride, outputStride))));
  const features = [stem, ...blocks, ...(depth === 5 ? [widest(layers)] : [])];
  return {
    widths: [16, 24, 32, 96, LAST_WIDTH],
    bandLayer: "encoder.features.0.0",
    forward(image, context) {
      const maps = [];
      let x = image;
      for (const [position, layer] of features.entries()) {
        x = layer(x, context);
        if (MAP_POSITIONS.includes(position)) maps.push(x);
      }
      return maps;
    },
  };
}

/** The layer in front of the classifier. */
function widest(layers: LayerFactory): Layer {
  return chain(
    layers.conv("encoder.features.18.0", { inputs: 320, outputs: LAST_WIDTH, size: 1 }),
    layers.norm("encoder.features.18.1", LAST_WIDTH, "relu6"),
  );
}

/** How a depthwise convolution moves. */
interface Moving extends Step {
  readonly pad: Pad;
}

/** Wide, depthwise, narrow; added to its input where both have one shape. */
function invertedResidual(layers: LayerFactory, { position, expansion, inputs, outputs, stride }: MobileBlock, moving: Moving): Layer {
  const name = `encoder.features.${position}.conv`;
  const width = inputs * expansion;
  const wide =
    expansion === 1 ? [] : [layers.conv(`${name}.0.0`, { inputs, outputs: width, size: 1 }), layers.norm(`${name}.0.1`, width, "relu6")];
  const at = wide.length === 0 ? 0 : 1;
  const body = chain(
    ...wide,
    layers.conv(`${name}.${at}.0`, { inputs: width, outputs: width, size: 3, groups: width, ...moving }),
    layers.norm(`${name}.${at}.1`, width, "relu6"),
    layers.conv(`${name}.${at + 1}`, { inputs: width, outputs, size: 1 }),
    layers.norm(`${name}.${at + 2}`, outputs, "none"),
  );
  return stride === 1 && inputs === outputs ? (x, context) => add(x, body(x, context)) : body;
}
