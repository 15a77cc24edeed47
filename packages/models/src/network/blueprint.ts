/**
 * A network before it has weights: the list of its parameters and how pixels flow through them. Layers are declared
 * once, in a {@link LayerFactory}, which notes their parameters and gives back the function that applies them.
 */

import type * as tf from "@tensorflow/tfjs";

import type { DecodeOptions, Detections, ObjectNetwork, ObjectTargets, TileNetwork } from "../network.ts";
import type { Layer, LayerContext, VectorLayer } from "./layer.ts";
import { type Activation, batchNormLayer, convLayer, type ConvLayerOptions, groupNormLayer, linearLayer } from "./layers.ts";
import type { FirstValues, ParameterSpec } from "./parameter-spec.ts";

/** What every network without weights says. */
interface BaseBlueprint {
  readonly modelType: string;
  /** Complete configuration, plain JSON. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly parameters: readonly ParameterSpec[];
  readonly bands: number;
  readonly classes: number;
  /** Sides of the input must be multiples of this. */
  readonly stride: number;
  /** First and last layers, which alone depend on bands and classes. */
  readonly bandLayer: string;
  readonly classLayer: string | readonly string[];
}

/** A network of pixel classification without weights. */
export interface Blueprint extends BaseBlueprint {
  readonly task: "pixelClassification";
  /** Pixels cut from each border of the output. */
  readonly margin: number;
  /** Raw pixel values to logits. */
  readonly forward: Layer;
}

/** A network that finds objects, without weights. */
export interface ObjectBlueprint<Outputs = unknown> extends BaseBlueprint {
  readonly task: ObjectNetwork["task"];
  /** Raw pixel values to outputs. */
  forward(images: tf.Tensor4D, context: LayerContext): Outputs;
  /** As {@link ObjectNetwork.losses}. */
  losses(outputs: Outputs, truth: ObjectTargets, seed?: tf.Scalar): Readonly<Record<string, tf.Scalar>>;
  /** Objects `decode` finds on an image when it is not told. @defaultValue 100 */
  readonly detections?: number;
  /** As {@link ObjectNetwork.decode}. */
  decode(outputs: Outputs, options: Required<DecodeOptions>): Detections;
}

/** A network that classifies whole images, without weights. */
export interface TileBlueprint extends BaseBlueprint, Pick<TileNetwork, "task" | "multiLabel" | "thresholds"> {
  /** Raw pixel values to logits. */
  forward(images: tf.Tensor4D, context: LayerContext): tf.Tensor2D;
}

/** A network without weights, of any task. */
export type AnyBlueprint = Blueprint | ObjectBlueprint | TileBlueprint;

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
  /** Groups of channels that do not see each other; as many as there are channels for a depthwise convolution. @defaultValue 1 */
  readonly groups?: number;
  /** Pixels from one tap of the kernel to the next: above 1 the kernel sees further with as many weights (atrous convolution). @defaultValue 1 */
  readonly dilation?: number;
  /** @defaultValue half of what the kernel spans on every side: the map keeps its size at stride 1 */
  readonly pad?: ConvLayerOptions["pad"];
  /** How weight and bias begin. @defaultValue as the network's initializer says */
  readonly first?: { readonly weight: FirstValues; readonly bias: FirstValues };
}

/** Shape of a linear layer. */
export interface LinearOptions extends Pick<ConvOptions, "first"> {
  readonly inputs: number;
  readonly outputs: number;
}

/** Declares layers; every call adds the layer's parameters to `parameters`. */
export interface LayerFactory {
  /** Convolution. */
  conv(name: string, options: ConvOptions): Layer;
  /** Batch or group norm, with an activation behind it. */
  norm(name: string, channels: number, activation: Activation): Layer;
  /** Every output from every input, with a bias. */
  linear(name: string, options: LinearOptions): VectorLayer;
}

/** What a factory's layers have in common. */
export interface LayerFactoryOptions {
  readonly norm: "batch" | "group";
  readonly groups: number;
  /** Epsilon of batch norms. @defaultValue 1e-5 */
  readonly epsilon?: number;
  /** Weight of a batch's statistics in the running ones. @defaultValue 0.1 */
  readonly momentum?: number;
  /** True for layers of the encoder. */
  readonly backbone: boolean;
}

/** A factory that notes parameters in `parameters`, in the order of declaration. */
export function createLayerFactory(
  parameters: ParameterSpec[],
  { norm, groups, epsilon = 1e-5, momentum = 0.1, backbone }: LayerFactoryOptions,
): LayerFactory {
  return {
    conv(name, options) {
      const { inputs, outputs, size, stride = 1, bias = false, groups: parts = 1, dilation = 1, first } = options;
      const { pad = ((size - 1) / 2) * dilation } = options;
      const seen = inputs / parts;
      const fanIn = seen * size * size;
      parameters.push({
        name: `${name}.weight`,
        shape: [outputs, seen, size, size],
        role: "kernel",
        fanIn,
        backbone,
        first: first?.weight,
      });
      if (bias) parameters.push({ name: `${name}.bias`, shape: [outputs], role: "bias", fanIn, backbone, first: first?.bias });
      return convLayer(name, { stride, pad, groups: parts, dilation, bias });
    },
    norm(name, channels, activation) {
      const vector = (part: string, role: ParameterSpec["role"]): number =>
        parameters.push({ name: `${name}.${part}`, shape: [channels], role, fanIn: 1, backbone });
      vector("weight", "scale");
      vector("bias", "shift");
      if (norm === "group") return groupNormLayer(name, largestDivisor(channels, groups), activation);
      vector("running_mean", "runningMean");
      vector("running_var", "runningVariance");
      return batchNormLayer(name, activation, { epsilon, momentum });
    },
    linear(name, { inputs, outputs, first }) {
      const common = { fanIn: inputs, backbone };
      parameters.push({ name: `${name}.weight`, shape: [outputs, inputs], role: "matrix", ...common, first: first?.weight });
      parameters.push({ name: `${name}.bias`, shape: [outputs], role: "bias", ...common, first: first?.bias });
      return linearLayer(name);
    },
  };
}

/** The largest divisor of `channels` that is at most `groups`. */
function largestDivisor(channels: number, groups: number): number {
  let divisor = Math.min(channels, groups);
  while (channels % divisor !== 0) divisor--;
  return divisor;
}
