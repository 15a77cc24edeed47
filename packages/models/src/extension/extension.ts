/** A network of a user's own: what one writes to have the Learner, the model package and inference with it. */

import type * as tf from "@tensorflow/tfjs";

import type { PixelLoss } from "../losses/pixel-loss.ts";
import type { ForwardOptions, NetworkOutputs } from "../network.ts";
import type { BandNormalization } from "../network/normalization.ts";

/** What the data ask of a network. */
export interface ModelShape {
  /** Bands of the images. */
  readonly bands: number;
  /** Classes to tell apart, background included. */
  readonly classes: number;
}

/** What a network is built from. */
export interface BuildOptions<Config extends object = Record<string, unknown>> extends ModelShape {
  /** The model's own settings, complete. */
  readonly config: Config;
  /** Seed of the first weights: give it to every initializer that draws. Equal seeds must give equal weights. */
  readonly seed: number;
  /** Constants of the input, one number per band; null for pixels as they are. */
  readonly normalization: BandNormalization | null;
  /** Applies `normalization` to raw pixel values `[N, H, W, bands]`; its numbers become part of the graph. */
  readonly normalize: (images: tf.Tensor4D) => tf.Tensor4D;
}

/** What a loss is given besides outputs and targets. */
export interface LossContext {
  /** Positions of classes, int32 `[N, H - 2 margin, W - 2 margin]`; -1 where a pixel does not count. */
  readonly classIndices: tf.Tensor3D;
  /** The loss the Learner was asked for, with its class weights: logits `[N, H, W, classes]` and class indices to a scalar. */
  readonly pixelLoss: PixelLoss;
}

/**
 * A network with weights. `forward`, `targets`, `loss` and `decode` are recorded once and then replayed: they use operations of tfjs and of
 * `@geolearn/engine` on the tensors they are given, variables, and numbers; other host values are marked with `constant`.
 */
export interface ExtensionNetwork<Outputs extends NetworkOutputs = NetworkOutputs, Targets extends NetworkOutputs = NetworkOutputs> {
  /**
   * All weights, running statistics included: a model of tf.layers, or variables by name (float32; those made with `trainable: false` are saved
   * but not trained). Layers of tf.layers without a name of their own are named by kind and position, e.g. `conv2d.0.kernel`.
   */
  readonly variables: tf.LayersModel | Readonly<Record<string, tf.Variable>>;
  /** Names, or beginnings of names up to a dot, of the parameters that `freeze()` holds. @defaultValue none */
  readonly backbone?: readonly string[];
  /** Sides of the input must be multiples of this. @defaultValue 1 */
  readonly stride?: number;
  /** Pixels at each border of a chip that are seen but not scored: the outputs are smaller by twice as many. @defaultValue 0 */
  readonly margin?: number;
  /** Raw pixel values `[N, H, W, bands]` to outputs: logits `[N, H, W, classes]`, or whatever `loss` and `decode` understand. */
  forward(images: tf.Tensor4D, options: ForwardOptions): Outputs;
  /** Targets of the loss from class indices, int32 `[N, H, W]`, -1 where a pixel does not count. @defaultValue the class indices */
  targets?(classIndices: tf.Tensor3D): Targets;
  /** The loss, a scalar; pixels that do not count must not change it. @defaultValue the Learner's own loss of the logits */
  loss?(outputs: Outputs, targets: Targets, context: LossContext): tf.Tensor;
  /** Scores `[N, H, W, classes]`, 0 to 1 and 1 in all for each pixel. @defaultValue softmax of the logits */
  decode?(outputs: Outputs): tf.Tensor;
  /** Frees what the network holds besides its variables. */
  dispose?(): void;
}

/** The definition of a network; see {@link defineModel}. */
export interface ModelExtension<
  Config extends object = Record<string, unknown>,
  Outputs extends NetworkOutputs = NetworkOutputs,
  Targets extends NetworkOutputs = NetworkOutputs,
> {
  /** Its name in options, model packages and messages: small letters, digits and `-`, `_` or `.`. */
  readonly modelType: string;
  /** What it is made for. */
  readonly task: "pixelClassification";
  /**
   * Complete settings, plain JSON, from what a user or a model package gives; given its own result it returns the same. `bands`, `classes` and
   * `normalization` are kept beside them and are no names for settings.
   *
   * @defaultValue the settings as they are given
   * @throws INVALID_ARGUMENT that names the field, what was given and what is expected
   */
  resolve?(given: Readonly<Record<string, unknown>>, shape: ModelShape): Config;
  /** Makes the variables and says how pixels flow through them. The engine runs by then. */
  build(options: BuildOptions<Config>): ExtensionNetwork<Outputs, Targets>;
}

/** Any definition. */
export type AnyModelExtension = ModelExtension<object>;
