/**
 * ResNet (He et al. 2016, https://arxiv.org/abs/1512.03385) with the names and the details of torchvision: in a block with
 * a bottleneck the 3x3 convolution is the one that halves the map.
 */

import type { LayerFactory } from "../network/blueprint.ts";
import { chain, type Layer } from "../network/layer.ts";
import { activate, add, maxPool } from "../network/layers.ts";
import type { Backbone, BackboneOptions } from "./backbone.ts";
import { type Step, stepOf } from "./dilation.ts";

/** Blocks of the four stages, and how many times a block's output is wider than its middle. */
const VARIANTS = {
  resnet18: { blocks: [2, 2, 2, 2], expansion: 1 },
  resnet34: { blocks: [3, 4, 6, 3], expansion: 1 },
  resnet50: { blocks: [3, 4, 6, 3], expansion: 4 },
} as const;
const STAGE_WIDTHS = [64, 128, 256, 512] as const;

/** Layers of a ResNet without its classifier. */
export function resNet(
  variant: keyof typeof VARIANTS,
  layers: LayerFactory,
  { bands, outputStride = 32, depth = 5 }: BackboneOptions,
): Backbone {
  const { blocks, expansion } = VARIANTS[variant];
  const block = expansion === 1 ? basicBlock : bottleneck;
  const stem = chain(
    layers.conv("encoder.conv1", { inputs: bands, outputs: 64, size: 7, stride: 2 }),
    layers.norm("encoder.bn1", 64, "relu"),
  );
  let inputs = 64;
  const stages = STAGE_WIDTHS.slice(0, depth - 1).map((width, s) =>
    chain(
      ...Array.from({ length: blocks[s]! }, (_, b) => {
        const layer = block(layers, `encoder.layer${s + 1}.${b}`, {
          inputs,
          width,
          outputs: width * expansion,
          ...stepOf(s + 2, b === 0 && s > 0 ? 2 : 1, outputStride),
        });
        inputs = width * expansion;
        return layer;
      }),
    ),
  );
  return {
    widths: [64, 64 * expansion, 128 * expansion, 256 * expansion, 512 * expansion],
    bandLayer: "encoder.conv1",
    forward(image, context) {
      const maps = [stem(image, context)];
      let x = maxPool(maps[0]!, { size: 3, stride: 2, pad: 1 });
      for (const stage of stages) {
        x = stage(x, context);
        maps.push(x);
      }
      return maps;
    },
  };
}

interface BlockOptions extends Step {
  readonly inputs: number;
  readonly width: number;
  readonly outputs: number;
}

/** Two 3x3 convolutions beside a short cut. */
function basicBlock(layers: LayerFactory, name: string, options: BlockOptions): Layer {
  const { inputs, outputs, stride, dilation } = options;
  const body = chain(
    layers.conv(`${name}.conv1`, { inputs, outputs, size: 3, stride, dilation }),
    layers.norm(`${name}.bn1`, outputs, "relu"),
    layers.conv(`${name}.conv2`, { inputs: outputs, outputs, size: 3, dilation }),
    layers.norm(`${name}.bn2`, outputs, "none"),
  );
  return joined(body, shortCut(layers, name, options));
}

/** A 1x1, a 3x3 and a 1x1 convolution, narrow in the middle, beside a short cut. */
function bottleneck(layers: LayerFactory, name: string, options: BlockOptions): Layer {
  const { inputs, width, outputs, stride, dilation } = options;
  const body = chain(
    layers.conv(`${name}.conv1`, { inputs, outputs: width, size: 1 }),
    layers.norm(`${name}.bn1`, width, "relu"),
    layers.conv(`${name}.conv2`, { inputs: width, outputs: width, size: 3, stride, dilation }),
    layers.norm(`${name}.bn2`, width, "relu"),
    layers.conv(`${name}.conv3`, { inputs: width, outputs, size: 1 }),
    layers.norm(`${name}.bn3`, outputs, "none"),
  );
  return joined(body, shortCut(layers, name, options));
}

/** A 1x1 convolution where size or width change, else null: the map itself. */
function shortCut(layers: LayerFactory, name: string, { inputs, outputs, stride }: BlockOptions): Layer | null {
  if (stride === 1 && inputs === outputs) return null;
  return chain(
    layers.conv(`${name}.downsample.0`, { inputs, outputs, size: 1, stride }),
    layers.norm(`${name}.downsample.1`, outputs, "none"),
  );
}

function joined(body: Layer, short: Layer | null): Layer {
  return (x, context) => activate(add(body(x, context), short === null ? x : short(x, context)), "relu");
}
