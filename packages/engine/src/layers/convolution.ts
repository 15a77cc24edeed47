/** Layers of dilated convolutions train: tfjs's fused operation refuses their gradient, its plain one has the engine's. */

import * as tf from "@tensorflow/tfjs";
import { BACKEND_NAME } from "../graph/backend.ts";
import { prototypeWith, wrap } from "./wrap.ts";

interface ConvolutionLayer {
  readonly rank: number;
  readonly dilationRate: readonly number[];
  readonly strides: [number, number];
  readonly padding: "same" | "valid";
  readonly dataFormat: string;
  readonly kernel: { read(): tf.Tensor4D };
  readonly bias: { read(): tf.Tensor } | null;
  readonly activation: { apply(x: tf.Tensor): tf.Tensor } | null;
}

/** Wraps the call of convolution layers. */
export function adaptConvolutions(): void {
  const prototype = prototypeWith(tf.layers.conv2d({ filters: 1, kernelSize: 1 }), "call");
  if (prototype === null) return;
  wrap(prototype, "call", (call) => function (this: ConvolutionLayer, ...given) {
    const dilated = this.rank === 2 && this.dilationRate.some((rate) => rate > 1);
    if (!dilated || tf.getBackend() !== BACKEND_NAME) return call.apply(this, given);
    return tf.tidy(() => {
      const [inputs] = given as [tf.Tensor | tf.Tensor[]];
      const x = (Array.isArray(inputs) ? inputs[0]! : inputs) as tf.Tensor4D;
      const first = this.dataFormat === "channelsFirst";
      const images = first ? tf.transpose(x, [0, 2, 3, 1]) : x;
      const dilations = this.dilationRate as [number, number];
      const convolved: tf.Tensor = tf.conv2d(images, this.kernel.read(), this.strides, this.padding, "NHWC", dilations);
      const shifted = this.bias === null ? convolved : tf.add(convolved, this.bias.read());
      const out = this.activation === null ? shifted : this.activation.apply(shifted);
      return first ? tf.transpose(out, [0, 3, 1, 2]) : out;
    });
  }); // prettier-ignore
}
