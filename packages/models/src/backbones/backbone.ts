/** Encoders that networks borrow: known architectures, with the names their published weights use. */

import type * as tf from "@tensorflow/tfjs";

import type { LayerFactory } from "../network/blueprint.ts";
import type { LayerContext } from "../network/layer.ts";
import type { BatchNormSettings } from "../network/layers.ts";
import { efficientNet } from "./efficientnet.ts";
import { mobileNetV2 } from "./mobilenet-v2.ts";
import { mobileNetV3 } from "./mobilenet-v3.ts";
import { resNet } from "./resnet.ts";

/** Encoders by name. */
export type BackboneName =
  | "resnet18"
  | "resnet34"
  | "resnet50"
  | "mobilenetv2"
  | "mobilenetv3-large"
  | "mobilenetv3-small"
  | "efficientnet-b0"
  | "efficientnet-b1"
  | "efficientnet-b2"
  | "efficientnet-b3";

/** Torchvision's spelling of some of them, understood as well. */
export type BackboneAlias =
  | "mobilenet_v2"
  | "mobilenet_v3_large"
  | "mobilenet_v3_small"
  | "efficientnet_b0"
  | "efficientnet_b1"
  | "efficientnet_b2"
  | "efficientnet_b3";

/**
 * Where two lines of networks differ though their weights have the same shapes. `"torch"`: a convolution is padded alike on
 * all sides, norms have epsilon 1e-5. `"tensorflow"`: where the map is halved there is more padding at the end, epsilon is 1e-3.
 * Maps for decoders are taken where segmentation_models_pytorch takes them, from its `timm-efficientnet-b0` and its
 * `efficientnet-b0`.
 */
export type Convention = "torch" | "tensorflow";

/** An encoder's layers; their parameters are in the factory it was made with. */
export interface Backbone {
  /** Channels of the maps at a half, a quarter, ... a 32nd of the image. */
  readonly widths: readonly [number, number, number, number, number];
  /** Name of the first convolution, which alone depends on the bands. */
  readonly bandLayer: string;
  /** Normalized pixels to the maps, the largest first: five, or as many as the `depth` it was made with. */
  readonly forward: (x: tf.Tensor4D, context: LayerContext) => readonly tf.Tensor4D[];
}

/** What every encoder is made from. */
export interface BackboneOptions {
  readonly bands: number;
  readonly convention: Convention;
  /**
   * What the sides of the smallest map are divided by. With 8 or 16 the layers behind the map of that size keep it: instead of moving by 2 they
   * look twice as far, by dilated convolutions (as segmentation_models_pytorch's `output_stride`). @defaultValue 32
   */
  readonly outputStride?: OutputStride;
  /** Maps, from the largest; layers behind the last one are left out. @defaultValue 5 */
  readonly depth?: number;
  /** Half the channels in the layers behind the last halving; a MobileNetV3 only (torchvision's `reduced_tail`). @defaultValue false */
  readonly reducedTail?: boolean;
  /** The map at a 16th is the wide one inside the block that halves it next; a MobileNetV3 only, as SSDLite takes it. @defaultValue false */
  readonly widened?: boolean;
}

/** What an encoder's smallest map may be smaller than the image by. */
export type OutputStride = 8 | 16 | 32;

type Maker = (layers: LayerFactory, options: BackboneOptions) => Backbone;

const MAKERS: Readonly<Record<BackboneName, Maker>> = {
  resnet18: (layers, options) => resNet("resnet18", layers, options),
  resnet34: (layers, options) => resNet("resnet34", layers, options),
  resnet50: (layers, options) => resNet("resnet50", layers, options),
  mobilenetv2: mobileNetV2,
  "mobilenetv3-large": (layers, options) => mobileNetV3("large", layers, options),
  "mobilenetv3-small": (layers, options) => mobileNetV3("small", layers, options),
  "efficientnet-b0": (layers, options) => efficientNet(0, layers, options),
  "efficientnet-b1": (layers, options) => efficientNet(1, layers, options),
  "efficientnet-b2": (layers, options) => efficientNet(2, layers, options),
  "efficientnet-b3": (layers, options) => efficientNet(3, layers, options),
};

/** Names of all encoders. */
export function backboneNames(): readonly BackboneName[] {
  return Object.keys(MAKERS) as BackboneName[];
}

/** The name of an encoder as it is kept, from any spelling of it; null when there is none. */
export function backboneNamed(name: string): BackboneName | null {
  const plain = name.toLowerCase().replaceAll("_", "-").replace("mobilenet-v", "mobilenetv");
  return Object.hasOwn(MAKERS, plain) ? (plain as BackboneName) : null;
}

/** Conventions an encoder's published weights come in; the first is the usual one. */
export function conventionsOf(name: BackboneName): readonly Convention[] {
  return /^(resnet|mobilenetv3)/.test(name) ? ["torch"] : ["torch", "tensorflow"];
}

/** Declares the layers of an encoder, under torchvision's names behind `encoder.`. */
export function createBackbone(name: BackboneName, layers: LayerFactory, options: BackboneOptions): Backbone {
  return MAKERS[name](layers, options);
}

/** Settings of the batch norms of an encoder. */
export function normOf(name: BackboneName, convention: Convention): BatchNormSettings {
  if (name.startsWith("mobilenetv3")) return { epsilon: 1e-3, momentum: 0.01 };
  return { epsilon: convention === "tensorflow" ? 1e-3 : 1e-5, momentum: 0.1 };
}
