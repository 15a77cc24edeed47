/** FeatureClassifier: raw pixel values of an image in, a score for each class out. */

import { GeoLearnError } from "@geolearn/core";

import { createBackbone, normOf } from "../backbones/backbone.ts";
import type { TileNetwork } from "../network.ts";
import { createLayerFactory, type TileBlueprint } from "../network/blueprint.ts";
import { type CreateNetworkOptions, instantiateTiles } from "../network/instantiate.ts";
import { normalizeBands } from "../network/layers.ts";
import type { ParameterSpec } from "../network/parameter-spec.ts";
import { type FeatureClassifierConfig, resolveFeatureClassifierConfig } from "./config.ts";
import { classifierHead, CLASS_LAYER } from "./head.ts";

const MODEL_TYPE = "feature-classifier";

/**
 * A classifier of whole images, as torchvision builds them: an encoder, the mean of each channel of its last map, and a linear layer (MobileNetV3
 * has another in front of it). `startEngine` must have finished.
 *
 * Images are `[N, height, width, bands]` with the pixel values of the raster; `normalization` is applied inside. Height and width are free and need
 * not be equal. Logits are `[N, classes]`; scores are their softmax, or with `multiLabel` the logistic function of each.
 *
 * @throws INVALID_ARGUMENT for a configuration that cannot be built. The network itself throws BANDS_MISMATCH.
 *
 * @example
 * const network = createFeatureClassifier({ bands: 3, classes: 1000, backbone: "resnet18" }, { seed: 7 }); // 11,689,512 trainable parameters
 */
export function createFeatureClassifier(config: FeatureClassifierConfig, options: CreateNetworkOptions = {}): TileNetwork {
  return instantiateTiles(featureClassifierBlueprint(config), options);
}

/** Parameters and layers of a classifier, without weights. */
export function featureClassifierBlueprint(config: FeatureClassifierConfig): TileBlueprint {
  const resolved = resolveFeatureClassifierConfig(config);
  const { backbone, bands, classes, convention, multiLabel, normalization, thresholds } = resolved;
  const parameters: ParameterSpec[] = [];
  const encoder = createLayerFactory(parameters, { ...resolved, ...normOf(backbone, convention), backbone: true });
  const layers = createBackbone(backbone, encoder, { bands, convention });
  const head = classifierHead(resolved, { encoder, head: createLayerFactory(parameters, { ...resolved, backbone: false }) }, layers);
  return {
    task: "objectClassification",
    modelType: MODEL_TYPE,
    config: resolved,
    parameters,
    bands,
    classes,
    stride: 1,
    bandLayer: layers.bandLayer,
    classLayer: CLASS_LAYER,
    multiLabel,
    thresholds,
    forward(images, context) {
      const given = images.shape[3];
      if (given !== bands) throw wrongBands(given, bands);
      const maps = layers.forward(normalization === null ? images : normalizeBands(images, normalization), context);
      return head(maps.at(-1)!, context);
    },
  };
}

function wrongBands(given: number, expected: number): GeoLearnError {
  return new GeoLearnError("BANDS_MISMATCH", `The ${MODEL_TYPE} network got images of ${given} bands, it was made for ${expected}.`, {
    hint: "Choose the bands the network was trained on, in the same order.",
    data: { given, expected },
  });
}
