/** The atrous pyramid and the decoder of DeepLab v3+, with the names and details of segmentation_models_pytorch. */

import { GeoLearnError } from "@geolearn/core";

import type { LayerFactory } from "../network/blueprint.ts";
import { chain, type Layer } from "../network/layer.ts";
import { concatChannels, dropoutLayer, globalMean, resizeByCorners } from "../network/layers.ts";
import type { ResolvedDeepLabConfig } from "./config.ts";

/** Each channel by itself, then across channels: a 3x3 convolution with a fraction of the weights. */
export function separableConv(layers: LayerFactory, name: string, inputs: number, outputs: number, dilation = 1): Layer {
  return chain(
    layers.conv(`${name}.0`, { inputs, outputs: inputs, size: 3, groups: inputs, dilation }),
    layers.conv(`${name}.1`, { inputs, outputs, size: 1 }),
  );
}

/** The atrous spatial pyramid: the map seen pixel by pixel, at three distances, and as a whole, side by side, brought to one width. */
export function atrousPyramid(layers: LayerFactory, name: string, inputs: number, config: ResolvedDeepLabConfig): Layer {
  const { decoderWidth: width, atrousRates, dropout, norm } = config;
  const near = chain(
    layers.conv(`${name}.convs.0.0`, { inputs, outputs: width, size: 1 }),
    layers.norm(`${name}.convs.0.1`, width, "relu"),
  );
  const far = atrousRates.map((rate, i) =>
    chain(separableConv(layers, `${name}.convs.${i + 1}.0`, inputs, width, rate), layers.norm(`${name}.convs.${i + 1}.1`, width, "relu")),
  );
  const last = atrousRates.length + 1;
  const whole = chain(
    layers.conv(`${name}.convs.${last}.1`, { inputs, outputs: width, size: 1 }),
    layers.norm(`${name}.convs.${last}.2`, width, "relu"),
  );
  const project = chain(
    layers.conv(`${name}.project.0`, { inputs: (last + 1) * width, outputs: width, size: 1 }),
    layers.norm(`${name}.project.1`, width, "relu"),
    dropoutLayer(dropout, "numbers"),
  );
  return (x, context) => {
    if (context.training && norm === "batch" && x.shape[0] === 1) throw singleImage();
    const mean = resizeByCorners(whole(globalMean(x), context), x);
    return project(concatChannels(near(x, context), ...far.map((layer) => layer(x, context)), mean), context);
  };
}

/** Batch norm of one number a channel would make it 0, and statistics that say nothing. */
function singleImage(): GeoLearnError {
  return new GeoLearnError("INVALID_ARGUMENT", "DeepLab with batch norm cannot be trained on batches of one image.", {
    hint: 'Use a `batchSize` of at least 2, or `norm: "group"`.',
    data: { field: "batchSize" },
  });
}
