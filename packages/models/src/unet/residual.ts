/**
 * U-Net with a residual encoder: ResNet-18 or -34 (He et al. 2016, https://arxiv.org/abs/1512.03385) with the names of
 * torchvision, and five decoder levels up to the size of the image.
 */

import { createLayerFactory, type LayerFactory } from "../network/blueprint.ts";
import { chain, type Layer } from "../network/layer.ts";
import { add, concatChannels, doubleSize, maxPool, relu } from "../network/layers.ts";
import type { ParameterSpec } from "../network/parameter-spec.ts";
import { type DecoderLevel, doubleConv, reducedLevel } from "./blocks.ts";
import type { ResolvedUNetConfig, UNetBackbone } from "./config.ts";

/** Residual blocks of the four stages. */
const BLOCKS: Readonly<Record<UNetBackbone, readonly number[]>> = { resnet18: [2, 2, 2, 2], resnet34: [3, 4, 6, 3] };
const STAGE_WIDTHS = [64, 128, 256, 512] as const;
/** Channels of the encoder's maps the decoder levels meet; the last level meets none. */
const SKIPS = [256, 128, 64, 64] as const;

/** Layers from normalized pixels to logits; their parameters are added to `parameters`. */
export function residualUNet(config: ResolvedUNetConfig, backbone: UNetBackbone, parameters: ParameterSpec[]): Layer {
  const { bands, classes, decoderWidths, skips } = config;
  const encoder = createLayerFactory(parameters, { ...config, backbone: true });
  const decoder = createLayerFactory(parameters, { ...config, backbone: false });

  const stem = chain(
    encoder.conv("encoder.conv1", { inputs: bands, outputs: 64, size: 7, stride: 2 }),
    encoder.norm("encoder.bn1", 64, true),
  );
  const stages = STAGE_WIDTHS.map((width, s) => {
    const before = s === 0 ? 64 : STAGE_WIDTHS[s - 1]!;
    return chain(
      ...Array.from({ length: BLOCKS[backbone][s]! }, (_, b) =>
        residualBlock(encoder, `encoder.layer${s + 1}.${b}`, b === 0 ? before : width, width, b === 0 && s > 0 ? 2 : 1),
      ),
    );
  });
  const up = SKIPS.map((skip, i) => {
    const inputs = i === 0 ? 512 : decoderWidths[i - 1]!;
    return skips === "concat"
      ? joinedLevel(decoder, i, inputs + skip, decoderWidths[i]!)
      : addedLevel(decoder, i, inputs, skip, decoderWidths[i]!);
  });
  const lastUp = doubleConv(decoder, "up.4", decoderWidths[3]!, decoderWidths[4]!);
  const head = decoder.conv("head", { inputs: decoderWidths[4]!, outputs: classes, size: 3, bias: true });

  return (image, context) => {
    let x = stem(image, context);
    const maps = [x];
    x = maxPool(x, { size: 3, stride: 2, pad: 1 });
    for (const stage of stages) {
      x = stage(x, context);
      maps.push(x);
    }
    maps.pop();
    for (const level of up) x = level(x, maps.pop()!, context);
    return head(lastUp(doubleSize(x), context), context);
  };
}

/** Basic block: two 3x3 convolutions beside a short cut, which is a 1x1 convolution where size or width change. */
function residualBlock(layers: LayerFactory, name: string, inputs: number, outputs: number, stride: number): Layer {
  const body = chain(
    layers.conv(`${name}.conv1`, { inputs, outputs, size: 3, stride }),
    layers.norm(`${name}.bn1`, outputs, true),
    layers.conv(`${name}.conv2`, { inputs: outputs, outputs, size: 3 }),
    layers.norm(`${name}.bn2`, outputs, false),
  );
  const short =
    stride === 1 && inputs === outputs
      ? null
      : chain(
          layers.conv(`${name}.downsample.0`, { inputs, outputs, size: 1, stride }),
          layers.norm(`${name}.downsample.1`, outputs, false),
        );
  return (x, context) => relu(add(body(x, context), short === null ? x : short(x, context)));
}

/** [up, skip] straight into the two convolutions. */
function joinedLevel(layers: LayerFactory, index: number, inputs: number, outputs: number): DecoderLevel {
  const convs = doubleConv(layers, `up.${index}`, inputs, outputs);
  return (x, skip, context) => convs(concatChannels(doubleSize(x), skip), context);
}

/** Adding needs equal widths first. */
function addedLevel(layers: LayerFactory, index: number, inputs: number, skip: number, outputs: number): DecoderLevel {
  const narrow = layers.conv(`reduce.${index}`, { inputs, outputs: skip, size: 1, bias: true });
  return reducedLevel({ narrow, convs: doubleConv(layers, `up.${index}`, skip, outputs), skips: "add" });
}
