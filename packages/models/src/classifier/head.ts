/** What stands between an encoder's last map and the classes, as torchvision builds it for each encoder. */

import * as tf from "@tensorflow/tfjs";

import type { Backbone, BackboneName } from "../backbones/backbone.ts";
import type { LayerFactory } from "../network/blueprint.ts";
import { chain, type Layer, type LayerContext } from "../network/layer.ts";
import { dropoutLayer, globalMean } from "../network/layers.ts";
import type { FirstValues } from "../network/parameter-spec.ts";
import type { ResolvedFeatureClassifierConfig } from "./config.ts";

/** Name of the layer that depends on the classes. */
export const CLASS_LAYER = "head";
/** Name of the layer in front of it, which MobileNetV3 has. */
export const HIDDEN_LAYER = "hidden";

const HIDDEN_WIDTHS: Partial<Record<BackboneName, number>> = { "mobilenetv3-large": 1280, "mobilenetv3-small": 1024 };
const NARROW: FirstValues = { kind: "normal", deviation: 0.01 };
const NOUGHT: FirstValues = { kind: "constant", value: 0 };

/** The encoder's last map to logits. EfficientNets widen the map first; that layer is one of the encoder's. */
export function classifierHead(
  config: ResolvedFeatureClassifierConfig,
  { encoder, head }: { readonly encoder: LayerFactory; readonly head: LayerFactory },
  { widths }: Backbone,
): (map: tf.Tensor4D, context: LayerContext) => tf.Tensor2D {
  const { backbone, classes, dropout } = config;
  const last = widths.at(-1)!;
  const { layer: widest, width } = backbone.startsWith("efficientnet") ? widestLayer(encoder, last) : { layer: null, width: last };
  const hiddenWidth = HIDDEN_WIDTHS[backbone];
  const hidden =
    hiddenWidth === undefined
      ? null
      : head.linear(HIDDEN_LAYER, { inputs: width, outputs: hiddenWidth, first: { weight: NARROW, bias: NOUGHT } });
  const inputs = hiddenWidth ?? width;
  const first = firstOf(backbone, classes);
  const classLayer = head.linear(CLASS_LAYER, { inputs, outputs: classes, ...(first && { first }) });
  const drop = dropoutLayer(dropout, "numbers");
  return (map, context) => {
    const pooled = globalMean(widest === null ? map : widest(map, context));
    const features = tf.reshape<tf.Rank.R2>(pooled, [pooled.shape[0], width]);
    const seen = hidden === null ? features : hardSwish(hidden(features, context));
    return classLayer(drop(seen, context), context);
  };
}

/** Four times as wide as the last stage. */
function widestLayer(encoder: LayerFactory, inputs: number): { readonly layer: Layer; readonly width: number } {
  const width = 4 * inputs;
  const layer = chain(
    encoder.conv("encoder.features.8.0", { inputs, outputs: width, size: 1 }),
    encoder.norm("encoder.features.8.1", width, "swish"),
  );
  return { layer, width };
}

/** As torchvision's; a linear layer begins as PyTorch's own where nothing else is said. */
function firstOf(backbone: BackboneName, classes: number): { weight: FirstValues; bias: FirstValues } | null {
  if (backbone.startsWith("mobilenet")) return { weight: NARROW, bias: NOUGHT };
  if (backbone.startsWith("efficientnet")) return { weight: { kind: "uniform", bound: 1 / Math.sqrt(classes) }, bias: NOUGHT };
  return null;
}

function hardSwish(x: tf.Tensor2D): tf.Tensor2D {
  return tf.mul(x, tf.div(tf.relu6(tf.add(x, 3)), 6));
}
