/** What a network is to the Learner, to inference and to the model package. */

import type { HostTensor } from "@geolearn/engine";
import type * as tf from "@tensorflow/tfjs";

import type { PixelLoss } from "./losses/pixel-loss.ts";

/** A weight or a piece of state of a network. */
export interface Parameter {
  /** Stable dotted name, e.g. `"down.0.conv1.weight"`; the key in weight files. */
  readonly name: string;
  readonly variable: tf.Variable;
  /** False for running statistics. */
  readonly trainable: boolean;
  /** True for the backbone, which `freeze()` holds. */
  readonly backbone: boolean;
}

/** How a forward pass runs. */
export interface ForwardOptions {
  /** Batch statistics and moving averages (true) or stored statistics (false). */
  readonly training: boolean;
}

/** What a network's forward pass may give: one map, or several. */
export type NetworkOutputs = tf.Tensor | readonly tf.Tensor[] | { readonly [name: string]: tf.Tensor };

/** Parameters whose size follows the number of bands or classes, by name. */
export interface SizedParameters {
  readonly bands: ReadonlySet<string>;
  readonly classes: ReadonlySet<string>;
}

/**
 * A network of pixel classification. `Outputs` is what its forward pass gives: logits, or what its own loss and decoder understand. Learner,
 * ONNX files and inference only ever call `forward`, `loss` and `decode`.
 */
export interface Network<Outputs extends NetworkOutputs = NetworkOutputs> {
  /** Command-line name of the architecture, e.g. `"unet"`. */
  readonly modelType: string;
  /** Everything needed to build it again, plain JSON. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly parameters: readonly Parameter[];
  /** Sides of the input must be multiples of this. */
  readonly stride: number;
  /** Pixels cut from each border of the output (0 unless the network scores only the centre of a chip). */
  readonly margin: number;
  /** Whether `loss` is the network's own, so that the Learner's may have no say. */
  readonly ownLoss: boolean;
  /** Whether `decode` is the network's own; else the outputs are logits `[N, H, W, classes]`. */
  readonly ownDecoder: boolean;
  /** Raw pixel values `[N, H, W, bands]` to the network's outputs; normalization is inside. */
  forward(images: tf.Tensor4D, options: ForwardOptions): Outputs;
  /** Outputs to scores `[N, H - 2 margin, W - 2 margin, classes]`, 0 to 1 and 1 in all for each pixel. */
  decode(outputs: Outputs): tf.Tensor4D;
  /**
   * Loss of outputs, a scalar.
   *
   * @param classIndices Positions of classes, int32 `[N, H - 2 margin, W - 2 margin]`; -1 where a pixel does not count.
   * @param pixelLoss The Learner's loss of logits, for networks without one of their own.
   */
  loss(outputs: Outputs, classIndices: tf.Tensor3D, pixelLoss: PixelLoss): tf.Scalar;
  /** The parameters that begin anew for other bands or classes. */
  sizedBy(): SizedParameters;
  /** Values of all parameters by name. */
  weights(): Map<string, HostTensor>;
  /** Sets parameters by name. @throws WEIGHTS_MISMATCH that lists missing, unknown and wrongly shaped names. */
  setWeights(weights: ReadonlyMap<string, HostTensor>): void;
  /** Releases the parameters. */
  dispose(): void;
}
