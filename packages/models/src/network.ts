/** What a network is to the Learner, to inference and to the model package. */

import type { HostTensor } from "@geolearn/engine";
import type * as tf from "@tensorflow/tfjs";

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

/** A network of pixel classification. */
export interface Network {
  /** Command-line name of the architecture, e.g. `"unet"`. */
  readonly modelType: string;
  /** Everything needed to build it again, plain JSON. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly parameters: readonly Parameter[];
  /** Sides of the input must be multiples of this. */
  readonly stride: number;
  /** Pixels cut from each border of the output (0 unless the network scores only the centre of a chip). */
  readonly margin: number;
  /** Raw pixel values `[N, H, W, bands]` to logits `[N, H, W, classes]`; normalization is inside. */
  forward(images: tf.Tensor4D, options: ForwardOptions): tf.Tensor4D;
  /** Values of all parameters by name. */
  weights(): Map<string, HostTensor>;
  /** Sets parameters by name. @throws WEIGHTS_MISMATCH that lists missing, unknown and wrongly shaped names. */
  setWeights(weights: ReadonlyMap<string, HostTensor>): void;
  /** Releases the parameters. */
  dispose(): void;
}
