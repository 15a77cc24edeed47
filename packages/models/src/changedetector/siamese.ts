/** A U-Net whose encoder sees two dates, one after the other with the same weights, and whose decoder sees what became of both. */

import * as tf from "@tensorflow/tfjs";

import { type BackboneName, createBackbone, normOf } from "../backbones/backbone.ts";
import { createLayerFactory, type LayerFactory } from "../network/blueprint.ts";
import type { Layer, LayerContext } from "../network/layer.ts";
import { concatChannels, doubleSize, maxPool } from "../network/layers.ts";
import type { ParameterSpec } from "../network/parameter-spec.ts";
import { doubleConv, reducedLevel } from "../unet/blocks.ts";
import type { ResolvedChangeDetectorConfig } from "./config.ts";

/** Layers from normalized pixels of both dates to logits. */
export interface SiameseLayers {
  readonly layers: Layer;
  readonly bandLayer: string;
}

/** An image of one date to its maps, the largest first. */
type Encoder = (x: tf.Tensor4D, context: LayerContext) => readonly tf.Tensor4D[];

/** The parameters of the layers are added to `parameters`, under the names of a U-Net. */
export function siameseUNet(config: ResolvedChangeDetectorConfig, parameters: ParameterSpec[]): SiameseLayers {
  return config.backbone === null ? plainSiamese(config, parameters) : borrowedSiamese(config, config.backbone, parameters);
}

function plainSiamese(config: ResolvedChangeDetectorConfig, parameters: ParameterSpec[]): SiameseLayers {
  const { bands, classes, widths } = config;
  const encoder = createLayerFactory(parameters, { ...config, backbone: true });
  const decoder = createLayerFactory(parameters, { ...config, backbone: false });
  const levels = widths.slice(0, -1);
  const down = levels.map((width, i) => doubleConv(encoder, `down.${i}`, i === 0 ? bands / 2 : levels[i - 1]!, width));
  const middle = doubleConv(encoder, "middle", levels.at(-1)!, widths[levels.length]!);
  const upward = levels.toReversed();
  const narrow = upward.map((width, i) =>
    decoder.conv(`reduce.${i}`, {
      inputs: i === 0 ? fusedWidth(config, widths.at(-1)!) : upward[i - 1]!,
      outputs: width,
      size: 1,
      bias: true,
    }),
  );
  const convs = upward.map((width, i) => doubleConv(decoder, `up.${i}`, fusedWidth(config, width) + width, width));
  const up = upward.map((_, i) => reducedLevel({ narrow: narrow[i]!, convs: convs[i]!, skips: "concat" }));
  const head = decoder.conv("head", { inputs: levels[0]!, outputs: classes, size: 1, bias: true });
  const encode: Encoder = (image, context) => {
    const maps = [];
    let x = image;
    for (const level of down) {
      x = level(x, context);
      maps.push(x);
      x = maxPool(x, { size: 2, stride: 2, pad: 0 });
    }
    return [...maps, middle(x, context)];
  };
  return {
    bandLayer: "down.0.conv1",
    layers(images, context) {
      const maps = fusedMaps(encode, config, images, context);
      let x = maps.pop()!;
      for (const level of up) x = level(x, maps.pop()!, context);
      return head(x, context);
    },
  };
}

function borrowedSiamese(config: ResolvedChangeDetectorConfig, name: BackboneName, parameters: ParameterSpec[]): SiameseLayers {
  const { bands, classes, decoderWidths, convention } = config;
  const encoder = createLayerFactory(parameters, { ...config, ...normOf(name, convention), backbone: true });
  const decoder = createLayerFactory(parameters, { ...config, backbone: false });
  const { widths, bandLayer, forward } = createBackbone(name, encoder, { bands: bands / 2, convention });
  const up = decoderLevels(decoder, config, widths.toReversed());
  const head = decoder.conv("head", { inputs: decoderWidths[4]!, outputs: classes, size: 3, bias: true });
  return {
    bandLayer,
    layers(images, context) {
      const maps = fusedMaps(forward, config, images, context);
      let x = maps.pop()!;
      for (const level of up) {
        const skip = maps.pop();
        x = level(skip === undefined ? doubleSize(x) : concatChannels(doubleSize(x), skip), context);
      }
      return head(x, context);
    },
  };
}

/** Five levels up to the size of the image; the last one meets no map. */
function decoderLevels(layers: LayerFactory, config: ResolvedChangeDetectorConfig, deepestFirst: readonly number[]): Layer[] {
  return config.decoderWidths.map((outputs, i) => {
    const below = i === 0 ? fusedWidth(config, deepestFirst[0]!) : config.decoderWidths[i - 1]!;
    const met = deepestFirst[i + 1];
    return doubleConv(layers, `up.${i}`, below + (met === undefined ? 0 : fusedWidth(config, met)), outputs);
  });
}

/** Channels of two maps of `width` brought together. */
function fusedWidth({ fusion }: ResolvedChangeDetectorConfig, width: number): number {
  return fusion === "concat" ? 2 * width : width;
}

/** The maps of both dates, level by level: their absolute difference, or the earlier beside the later. */
function fusedMaps(
  encode: Encoder,
  { bands, fusion }: ResolvedChangeDetectorConfig,
  images: tf.Tensor4D,
  context: LayerContext,
): tf.Tensor4D[] {
  const [before, after] = tf.split(images, [bands / 2, bands / 2], 3) as [tf.Tensor4D, tf.Tensor4D];
  const [earlier, later] = [encode(before, context), encode(after, context)];
  return earlier.map((map, i) => (fusion === "concat" ? concatChannels(map, later[i]!) : tf.abs(tf.sub<tf.Tensor4D>(map, later[i]!))));
}
