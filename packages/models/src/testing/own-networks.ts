/** Small networks as users write them, for tests of how they are treated. */

import * as tf from "@tensorflow/tfjs";

import { definedModel, defineModel } from "../extension/defined.ts";
import type { AnyModelExtension, BuildOptions, ExtensionNetwork } from "../extension/extension.ts";

let count = 0;

/** Defines a network under a name of its own and gives the name. */
export function defined(build: (options: BuildOptions) => ExtensionNetwork, more: Partial<AnyModelExtension> = {}): string {
  const modelType = `own-${++count}`;
  defineModel({ modelType, task: "pixelClassification", build, ...more } as AnyModelExtension);
  return modelType;
}

/** As if the module that defined it had not been imported. */
export function forget(modelType: string): void {
  const known = (globalThis as unknown as Record<symbol, Map<string, unknown>>)[Symbol.for("geolearn.models")];
  if (definedModel(modelType) !== null) known!.delete(modelType);
}

/** One convolution of tf.layers, without names, after a dropout. */
export function oneLayer({ bands, classes, seed, normalize }: BuildOptions): ExtensionNetwork {
  const model = tf.sequential({
    layers: [
      tf.layers.dropout({ rate: 0.2, inputShape: [null, null, bands] }),
      tf.layers.conv2d({
        filters: classes,
        kernelSize: 3,
        padding: "same",
        kernelInitializer: tf.initializers.heNormal({ seed: seed + 1 }),
      }),
    ],
  });
  return { variables: model, forward: (images, { training }) => model.apply(normalize(images), { training }) as tf.Tensor4D };
}

/** One 1x1 convolution by hand. */
export function oneKernel({ bands, classes, seed, normalize }: BuildOptions): ExtensionNetwork {
  const kernel = tf.tidy(() => tf.variable(tf.randomNormal<tf.Rank.R4>([1, 1, bands, classes], 0, 0.5, "float32", seed + 1)));
  return { variables: { "head.kernel": kernel }, forward: (images) => tf.conv2d(normalize(images), kernel as tf.Tensor4D, 1, "same") };
}
