/**
 * A network before it has weights: the list of its parameters and how pixels flow through them. Layers are declared
 * once, in a {@link LayerFactory}, which notes their parameters and gives back the function that applies them.
 */

import type { Layer } from "./layer.ts";
import { batchNormLayer, convLayer, groupNormLayer } from "./layers.ts";
import type { ParameterSpec } from "./parameter-spec.ts";

/** A network without weights. */
export interface Blueprint {
  readonly modelType: string;
  /** Complete configuration, plain JSON. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly parameters: readonly ParameterSpec[];
  readonly bands: number;
  readonly classes: number;
  /** Sides of the input must be multiples of this. */
  readonly stride: number;
  /** Pixels cut from each border of the output. */
  readonly margin: number;
  /** First and last layer, which alone depend on bands and classes. */
  readonly bandLayer: string;
  readonly classLayer: string;
  /** Raw pixel values to logits. */
  readonly forward: Layer;
}

/** Shape of a convolution. */
export interface ConvOptions {
  readonly inputs: number;
  readonly outputs: number;
  /** Side of the kernel. */
  readonly size: number;
  /** @defaultValue 1 */
  readonly stride?: number;
  /** @defaultValue false */
  readonly bias?: boolean;
}

/** Declares layers; every call adds the layer's parameters to `parameters`. */
export interface LayerFactory {
  /** Convolution, padded by half its kernel on every side. */
  conv(name: string, options: ConvOptions): Layer;
  /** Batch or group norm, with ReLU behind it when `relu`. */
  norm(name: string, channels: number, relu: boolean): Layer;
}

/** What a factory's layers have in common. */
export interface LayerFactoryOptions {
  readonly norm: "batch" | "group";
  readonly groups: number;
  /** True for layers of the encoder. */
  readonly backbone: boolean;
}

/** A factory that notes parameters in `parameters`, in the order of declaration. */
export function createLayerFactory(parameters: ParameterSpec[], { norm, groups, backbone }: LayerFactoryOptions): LayerFactory {
  return {
    conv(name, { inputs, outputs, size, stride = 1, bias = false }) {
      const fanIn = inputs * size * size;
      parameters.push({ name: `${name}.weight`, shape: [outputs, inputs, size, size], role: "kernel", fanIn, backbone });
      if (bias) parameters.push({ name: `${name}.bias`, shape: [outputs], role: "bias", fanIn, backbone });
      return convLayer(name, { size, stride, bias });
    },
    norm(name, channels, relu) {
      const vector = (part: string, role: ParameterSpec["role"]): number =>
        parameters.push({ name: `${name}.${part}`, shape: [channels], role, fanIn: 1, backbone });
      vector("weight", "scale");
      vector("bias", "shift");
      if (norm === "group") return groupNormLayer(name, largestDivisor(channels, groups), relu);
      vector("running_mean", "runningMean");
      vector("running_var", "runningVariance");
      return batchNormLayer(name, relu);
    },
  };
}

/** The largest divisor of `channels` that is at most `groups`. */
function largestDivisor(channels: number, groups: number): number {
  let divisor = Math.min(channels, groups);
  while (channels % divisor !== 0) divisor--;
  return divisor;
}
