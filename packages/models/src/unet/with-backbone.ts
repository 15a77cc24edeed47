/**
 * U-Net on a borrowed encoder, joined as segmentation_models_pytorch does: its five maps meet a decoder of five levels up to
 * the size of the image.
 */

import { type BackboneName, createBackbone, normOf } from "../backbones/backbone.ts";
import { createLayerFactory, type LayerFactory } from "../network/blueprint.ts";
import type { Layer } from "../network/layer.ts";
import { concatChannels, doubleSize } from "../network/layers.ts";
import type { ParameterSpec } from "../network/parameter-spec.ts";
import { type DecoderLevel, doubleConv, reducedLevel } from "./blocks.ts";
import type { ResolvedUNetConfig } from "./config.ts";

/** Layers from normalized pixels to logits; their parameters are added to `parameters`. */
export function backboneUNet(
  config: ResolvedUNetConfig,
  name: BackboneName,
  parameters: ParameterSpec[],
): { readonly layers: Layer; readonly bandLayer: string } {
  const { classes, decoderWidths, skips, convention } = config;
  const encoder = createLayerFactory(parameters, { ...config, ...normOf(name, convention), backbone: true });
  const decoder = createLayerFactory(parameters, { ...config, backbone: false });

  const { widths, bandLayer, forward } = createBackbone(name, encoder, config);
  const [deepest, ...met] = widths.toReversed();
  const up = met.map((skip, i) => {
    const inputs = i === 0 ? deepest! : decoderWidths[i - 1]!;
    return skips === "concat"
      ? joinedLevel(decoder, i, inputs + skip, decoderWidths[i]!)
      : addedLevel(decoder, i, inputs, skip, decoderWidths[i]!);
  });
  const lastUp = doubleConv(decoder, "up.4", decoderWidths[3]!, decoderWidths[4]!);
  const head = decoder.conv("head", { inputs: decoderWidths[4]!, outputs: classes, size: 3, bias: true });

  const layers: Layer = (image, context) => {
    const maps = [...forward(image, context)];
    let x = maps.pop()!;
    for (const level of up) x = level(x, maps.pop()!, context);
    return head(lastUp(doubleSize(x), context), context);
  };
  return { layers, bandLayer };
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
