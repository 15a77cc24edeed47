/** What a network is to the Learner, to inference and to the model package. */

import type { Task } from "@geolearn/core";
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

/** What every network has, whatever its task. `Outputs` is what its forward pass gives; only its own loss and decoder look into them. */
export interface BaseNetwork<Outputs> {
  readonly task: Task;
  /** Command-line name of the architecture, e.g. `"unet"`. */
  readonly modelType: string;
  /** Everything needed to build it again, plain JSON. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly parameters: readonly Parameter[];
  /** Sides of the input must be multiples of this. */
  readonly stride: number;
  /** Raw pixel values `[N, H, W, bands]` to the network's outputs; normalization is inside. */
  forward(images: tf.Tensor4D, options: ForwardOptions): Outputs;
  /** The parameters that begin anew for other bands or classes. */
  sizedBy(): SizedParameters;
  /** Values of all parameters by name. */
  weights(): Map<string, HostTensor>;
  /** Sets parameters by name. @throws WEIGHTS_MISMATCH that lists missing, unknown and wrongly shaped names. */
  setWeights(weights: ReadonlyMap<string, HostTensor>): void;
  /** Releases the parameters. */
  dispose(): void;
}

/**
 * A network of pixel classification. `Outputs` are logits, or what its own loss and decoder understand. Learner, ONNX files and inference only
 * ever call `forward`, `loss` and `decode`.
 */
export interface Network<Outputs extends NetworkOutputs = NetworkOutputs> extends BaseNetwork<Outputs> {
  readonly task: "pixelClassification";
  /** Pixels cut from each border of the output (0 unless the network scores only the centre of a chip). */
  readonly margin: number;
  /** Whether `loss` is the network's own, so that the Learner's may have no say. */
  readonly ownLoss: boolean;
  /** Whether `decode` is the network's own; else the outputs are logits `[N, H, W, classes]`. */
  readonly ownDecoder: boolean;
  /** Outputs to scores `[N, H - 2 margin, W - 2 margin, classes]`, 0 to 1 and 1 in all for each pixel. */
  decode(outputs: Outputs): tf.Tensor4D;
  /**
   * Loss of outputs, a scalar.
   *
   * @param classIndices Positions of classes, int32 `[N, H - 2 margin, W - 2 margin]`; -1 where a pixel does not count.
   * @param pixelLoss The Learner's loss of logits, for networks without one of their own.
   */
  loss(outputs: Outputs, classIndices: tf.Tensor3D, pixelLoss: PixelLoss): tf.Scalar;
}

/** The objects of a batch of chips: `K` slots for each image, of which any may be empty. */
export interface ObjectTargets {
  /** `[N, K, 4]`: xmin, ymin, xmax, ymax in pixels of the chip. */
  readonly boxes: tf.Tensor3D;
  /** int32 `[N, K]`: position among the classes, which have no background; -1 for an empty slot. */
  readonly classIndices: tf.Tensor2D;
  /** `[N, K, H, W]` of any type, 1 where a pixel belongs to the object; for networks that find outlines. */
  readonly masks?: tf.Tensor4D;
}

/** What a decoder leaves out. */
export interface DecodeOptions {
  /** Objects of lower scores, and of this one. @defaultValue 0.05 */
  readonly minScore?: number;
  /** Objects that overlap a better one of their class by more (intersection over union). @defaultValue 0.5 */
  readonly nmsOverlap?: number;
  /** Objects of an image; the result has room for as many. @defaultValue what the network's configuration says, or 100 */
  readonly maxDetections?: number;
}

/** Objects found in a batch of chips, the best first, `D` an image; where there are fewer, the score is 0 and so is the box. */
export interface Detections {
  /** `[N, D, 4]`: xmin, ymin, xmax, ymax in pixels of the chip. */
  readonly boxes: tf.Tensor3D;
  /** `[N, D]`, 0 to 1. */
  readonly scores: tf.Tensor2D;
  /** int32 `[N, D]`: position among the classes, which have no background. */
  readonly classIndices: tf.Tensor2D;
  /** `[N, D, M, M]`: for each point of a grid over the box, how sure the network is that it belongs to the object. */
  readonly masks?: tf.Tensor4D;
}

/** A network that finds objects: their boxes, and outlines where the task is instance segmentation. */
export interface ObjectNetwork<Outputs = unknown> extends BaseNetwork<Outputs> {
  readonly task: "objectDetection" | "instanceSegmentation";
  /**
   * Parts of the loss by name (classification, boxes...), scalars; training minimizes their sum.
   *
   * @param seed Decides what is drawn, where a network learns from a sample: an int32 scalar, another one each step. @defaultValue 0
   */
  losses(outputs: Outputs, truth: ObjectTargets, seed?: tf.Scalar): Readonly<Record<string, tf.Scalar>>;
  /** Found objects, a fixed number an image. */
  decode(outputs: Outputs, options?: DecodeOptions): Detections;
}

/** A network that gives an image as a whole one class, or several. Its outputs are logits `[N, classes]`. */
export interface TileNetwork extends BaseNetwork<tf.Tensor2D> {
  readonly task: "objectClassification";
  /** Whether an image may have several classes, or none. */
  readonly multiLabel: boolean;
  /** With several classes an image: the score from which it has a class, for each class; else null. */
  readonly thresholds: readonly number[] | null;
  /** Logits to scores `[N, classes]`, 0 to 1; 1 in all for each image unless it may have several classes. */
  decode(logits: tf.Tensor2D): tf.Tensor2D;
}

/** A network of any task; `task` tells which. */
export type AnyNetwork = Network | ObjectNetwork | TileNetwork;
