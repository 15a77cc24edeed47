/** A network as a user writes it: layers of TensorFlow.js, with batch norm and dropout; the loss is the Learner's. */

import * as tf from "@tensorflow/tfjs";
import { type ModelExtension, defineModel } from "geolearn";

interface Config {
  readonly filters: number;
  readonly dropout: number;
}

/** An encoder of one level, a decoder, and what both see joined. */
export const layersNet: ModelExtension<Config> = defineModel({
  modelType: "layers-net",
  task: "pixelClassification",
  resolve: ({ filters = 8, dropout = 0.2 }) => ({ filters: filters as number, dropout: dropout as number }),
  build({ bands, classes, config: { filters, dropout }, seed, normalize }) {
    let draws = 0;
    const drawn = (): object => ({ kernelInitializer: tf.initializers.heNormal({ seed: seed * 100 + ++draws }) });
    const block = (x: tf.SymbolicTensor, width: number): tf.SymbolicTensor => {
      const convolved = tf.layers.conv2d({ filters: width, kernelSize: 3, padding: "same", useBias: false, ...drawn() }).apply(x);
      return tf.layers.reLU().apply(tf.layers.batchNormalization({ momentum: 0.9 }).apply(convolved)) as tf.SymbolicTensor;
    };
    const input = tf.input({ shape: [null, null, bands] });
    const top = block(input, filters);
    const middle = block(tf.layers.maxPooling2d({ poolSize: 2 }).apply(top) as tf.SymbolicTensor, 2 * filters);
    const up = tf.layers.upSampling2d({ size: [2, 2] }).apply(tf.layers.dropout({ rate: dropout }).apply(middle)) as tf.SymbolicTensor;
    const joined = block(tf.layers.concatenate().apply([top, up]) as tf.SymbolicTensor, filters);
    const logits = tf.layers.conv2d({ name: "head", filters: classes, kernelSize: 1, ...drawn() }).apply(joined) as tf.SymbolicTensor;
    const model = tf.model({ inputs: input, outputs: logits });
    return {
      variables: model,
      stride: 2,
      forward: (images, { training }) => model.apply(normalize(images), { training }) as tf.Tensor4D,
    };
  },
});
