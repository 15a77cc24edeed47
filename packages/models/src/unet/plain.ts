/**
 * U-Net with a plain encoder (Ronneberger et al. 2015, https://arxiv.org/abs/1505.04597) of two 3x3 convolutions a
 * level. With widths 64, 32, 32, 32, added skips and a margin of a quarter of the chip it has the form of the network
 * Microsoft and the Chesapeake Conservancy mapped land cover with.
 */

import { createLayerFactory } from "../network/blueprint.ts";
import type { Layer } from "../network/layer.ts";
import { maxPool } from "../network/layers.ts";
import type { ParameterSpec } from "../network/parameter-spec.ts";
import { doubleConv, reducedLevel } from "./blocks.ts";
import type { ResolvedUNetConfig } from "./config.ts";

/** Layers from normalized pixels to logits; their parameters are added to `parameters`. */
export function plainUNet(config: ResolvedUNetConfig, parameters: ParameterSpec[]): Layer {
  const { bands, classes, widths, skips } = config;
  const encoder = createLayerFactory(parameters, { ...config, backbone: true });
  const decoder = createLayerFactory(parameters, { ...config, backbone: false });
  const levels = widths.slice(0, -1);
  const middleWidth = widths[levels.length]!;

  const down = levels.map((width, i) => doubleConv(encoder, `down.${i}`, i === 0 ? bands : levels[i - 1]!, width));
  const middle = doubleConv(encoder, "middle", levels.at(-1)!, middleWidth);
  // Declared kind by kind, so that a weight file lists them in the order a PyTorch module of this form does.
  const upward = levels.toReversed();
  const narrow = upward.map((width, i) =>
    decoder.conv(`reduce.${i}`, { inputs: i === 0 ? middleWidth : upward[i - 1]!, outputs: width, size: 1, bias: true }),
  );
  const convs = upward.map((width, i) => doubleConv(decoder, `up.${i}`, skips === "concat" ? 2 * width : width, width));
  const up = upward.map((_, i) => reducedLevel({ narrow: narrow[i]!, convs: convs[i]!, skips }));
  const head = decoder.conv("head", { inputs: levels[0]!, outputs: classes, size: 1, bias: true });

  return (image, context) => {
    const maps = [];
    let x = image;
    for (const level of down) {
      x = level(x, context);
      maps.push(x);
      x = maxPool(x, { size: 2, stride: 2, pad: 0 });
    }
    x = middle(x, context);
    for (const level of up) x = level(x, maps.pop()!, context);
    return head(x, context);
  };
}
