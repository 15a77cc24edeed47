/** The layers of a SingleShotDetector (Liu et al. 2016, https://arxiv.org/abs/1512.02325), with torchvision's names and first values. */

import { adaptiveAvgPool } from "@geolearn/engine";
import { GeoLearnError } from "@geolearn/core";
import * as tf from "@tensorflow/tfjs";

import { createBackbone, normOf } from "../backbones/backbone.ts";
import type { Grid } from "../detection/anchors.ts";
import { createLayerFactory, type LayerFactory } from "../network/blueprint.ts";
import { chain, type Layer, type LayerContext } from "../network/layer.ts";
import { activate } from "../network/layers.ts";
import type { FirstValues, ParameterSpec } from "../network/parameter-spec.ts";
import { anchorsPerCell } from "./anchors.ts";
import { isGrids, type ResolvedSSDConfig } from "./config.ts";
import type { SSDOutputs } from "./outputs.ts";

/** Maps of an encoder, at a half to a 32nd of the image. */
const ENCODER_MAPS = 5;
/** Channels of the maps behind the encoder; further ones have as many as the last. */
const EXTRA_WIDTHS = { standard: [512, 256], lite: [512, 256, 256, 128] } as const;
/** Norms of SSDLite. */
const LITE_NORM = { epsilon: 1e-3, momentum: 0.03 };
const NARROW: FirstValues = { kind: "normal", deviation: 0.03 };
const NOUGHT: FirstValues = { kind: "constant", value: 0 };

/** Layers from normalized pixels to the outputs of each map; their parameters are added to `parameters`. */
export function ssdLayers(
  config: ResolvedSSDConfig,
  parameters: ParameterSpec[],
): {
  readonly layers: (images: tf.Tensor4D, context: LayerContext) => Pick<SSDOutputs, "logits" | "boxes" | "grids">;
  readonly bandLayer: string;
  readonly classLayer: readonly string[];
} {
  const { variant, backbone, convention, maps, anchors, classes } = config;
  const lite = variant === "lite";
  const encoderNorm = lite && backbone.startsWith("mobilenetv3") ? LITE_NORM : normOf(backbone, convention);
  const encoder = createLayerFactory(parameters, { ...config, ...encoderNorm, backbone: true });
  const others = createLayerFactory(parameters, { ...config, ...(lite ? LITE_NORM : {}), backbone: false });

  const last = Math.log2(maps.at(-1)!);
  const depth = Math.min(ENCODER_MAPS, last);
  const whole = depth === ENCODER_MAPS;
  const { widths, bandLayer, forward } = createBackbone(backbone, encoder, {
    ...config,
    ...{ depth, reducedTail: config.reducedTail && whole, widened: lite && whole },
  });
  const channels: number[] = widths.slice(0, depth);
  const extras = Array.from({ length: last - depth }, (_, i): Layer => {
    const [inputs, outputs] = [channels.at(-1)!, EXTRA_WIDTHS[variant][i] ?? EXTRA_WIDTHS[variant].at(-1)!];
    channels.push(outputs);
    return (lite ? liteExtra : plainExtra)(others, `extra.${i}`, inputs, outputs);
  });
  const head = (name: string, numbers: number): readonly Layer[] =>
    maps.map((stride, i) => {
      const [inputs, outputs] = [channels[Math.log2(stride) - 1]!, anchorsPerCell(config, i) * numbers];
      return (lite ? liteHead : plainHead)(others, `head.${name}.module_list.${i}`, inputs, outputs);
    });
  const classHeads = head("classification_head", classes + 1);
  const boxHeads = head("regression_head", 4);

  return {
    bandLayer,
    classLayer: maps.map((_, i) => `head.classification_head.module_list.${i}${lite ? ".1" : ""}`),
    layers(images, context) {
      const seen = [...forward(images, context)];
      for (const extra of extras) seen.push(extra(seen.at(-1)!, context));
      const looked = maps.map((stride, i) => {
        const map = seen[Math.log2(stride) - 1]!;
        return isGrids(anchors) ? cellsOf(map, anchors.grids[i]!) : map;
      });
      const listed = (x: tf.Tensor4D, numbers: number): tf.Tensor3D => tf.reshape(x, [x.shape[0], -1, numbers]);
      return {
        logits: looked.map((map, i) => listed(classHeads[i]!(map, context), classes + 1)),
        boxes: looked.map((map, i) => listed(boxHeads[i]!(map, context), 4)),
        grids: looked.map(({ shape: [, height, width] }): Grid => ({ height, width })),
      };
    },
  };
}

/** The means of a map over the cells of a grid. */
function cellsOf(map: tf.Tensor4D, cells: number): tf.Tensor4D {
  const [, height, width] = map.shape;
  if (height === cells && width === cells) return map;
  if (Math.min(height, width) >= cells) return adaptiveAvgPool(map, [cells, cells]);
  throw new GeoLearnError("INVALID_ARGUMENT", `A grid of ${cells} x ${cells} cells is looked for on a map of ${width} x ${height}.`, {
    hint: "Use chips of the size the network was made for, or choose finer `maps`.",
    data: { cells, width, height },
  });
}

/** A 1x1 convolution to half the channels, and a 3x3 one that halves the map. */
function plainExtra(layers: LayerFactory, name: string, inputs: number, outputs: number): Layer {
  const narrow = outputs / 2;
  const first = layers.conv(`${name}.0`, { inputs, outputs: narrow, size: 1, bias: true, first: spread(inputs, narrow, 1) });
  const second = layers.conv(`${name}.2`, { inputs: narrow, outputs, size: 3, stride: 2, bias: true, first: spread(narrow, outputs, 3) });
  return (x, context) => activate(second(activate(first(x, context), "relu"), context), "relu");
}

/** A 1x1 convolution to half the channels, a depthwise one that halves the map, and a 1x1 one. */
function liteExtra(layers: LayerFactory, name: string, inputs: number, outputs: number): Layer {
  const narrow = outputs / 2;
  return chain(
    ...liteConv(layers, `${name}.0`, { inputs, outputs: narrow, size: 1 }),
    ...liteConv(layers, `${name}.1`, { inputs: narrow, outputs: narrow, size: 3, stride: 2, groups: narrow }),
    ...liteConv(layers, `${name}.2`, { inputs: narrow, outputs, size: 1 }),
  );
}

function plainHead(layers: LayerFactory, name: string, inputs: number, outputs: number): Layer {
  return layers.conv(name, { inputs, outputs, size: 3, bias: true, first: spread(inputs, outputs, 3) });
}

/** A depthwise convolution, and a 1x1 one. */
function liteHead(layers: LayerFactory, name: string, inputs: number, outputs: number): Layer {
  return chain(
    ...liteConv(layers, `${name}.0`, { inputs, outputs: inputs, size: 3, groups: inputs }),
    layers.conv(`${name}.1`, { inputs, outputs, size: 1, bias: true, first: { weight: NARROW, bias: NOUGHT } }),
  );
}

function liteConv(
  layers: LayerFactory,
  name: string,
  shape: { readonly inputs: number; readonly outputs: number; readonly size: number; readonly stride?: number; readonly groups?: number },
): readonly Layer[] {
  return [
    layers.conv(`${name}.0`, { ...shape, first: { weight: NARROW, bias: NOUGHT } }),
    layers.norm(`${name}.1`, shape.outputs, "relu6"),
  ];
}

/** Uniform with variance 2 / (fan-in + fan-out) (Glorot and Bengio 2010), biases 0. */
function spread(inputs: number, outputs: number, size: number): { weight: FirstValues; bias: FirstValues } {
  return { weight: { kind: "uniform", bound: Math.sqrt(6 / ((inputs + outputs) * size * size)) }, bias: NOUGHT };
}
