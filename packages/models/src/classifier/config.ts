/** What a classifier of whole images is made from, as a user writes it and as a model package keeps it. */

import {
  type BackboneAlias,
  backboneNamed,
  type BackboneName,
  backboneNames,
  type Convention,
  conventionsOf,
} from "../backbones/backbone.ts";
import { fieldsOf } from "../network/config-fields.ts";
import { dropoutOf } from "../network/encoder-config.ts";
import type { Initializer } from "../network/initializers.ts";
import type { BandNormalization } from "../network/normalization.ts";

/** What `createFeatureClassifier` takes. */
export interface FeatureClassifierConfig {
  /** Bands of the images. */
  readonly bands: number;
  /** Classes to tell apart: at least 2, or 1 where an image may have several or none. */
  readonly classes: number;
  /** Encoder, by our names or torchvision's. @defaultValue "resnet18" */
  readonly backbone?: BackboneName | BackboneAlias;
  /** Which line of networks the encoder follows where they differ, as for a U-Net. @defaultValue "torch" */
  readonly convention?: Convention;
  /** Whether an image may have several classes, or none: each class then has a probability of its own. @defaultValue false */
  readonly multiLabel?: boolean;
  /** With several classes an image: the probability from which it has a class, for each class. @defaultValue 0.5 each */
  readonly thresholds?: readonly number[] | null;
  /** Share of the features that is left out at random in training, 0 to 1. @defaultValue torchvision's: 0.2 for MobileNets and EfficientNet B0 and B1, 0.3 for B2 and B3, none for ResNets */
  readonly dropout?: number;
  /** Normalization between the encoder's layers: over the batch, or over groups of channels of each image. @defaultValue "batch" */
  readonly norm?: "batch" | "group";
  /** Groups of group norm; a layer whose filters it does not divide takes the next smaller divisor. @defaultValue 8 */
  readonly groups?: number;
  /** `(x - mean) / std` of the raw pixel values, part of the network. @defaultValue none: pixels enter as they are */
  readonly normalization?: BandNormalization | null;
  /** How the encoder's weights begin; the head always begins as torchvision's. @defaultValue "torch" */
  readonly initializer?: Initializer;
}

/** A complete, checked {@link FeatureClassifierConfig}: plain JSON, kept in model packages. */
export interface ResolvedFeatureClassifierConfig extends Readonly<Record<string, unknown>> {
  readonly bands: number;
  readonly classes: number;
  readonly backbone: BackboneName;
  readonly convention: Convention;
  readonly multiLabel: boolean;
  /** One for each class; null where an image has one class, that of the greatest score. */
  readonly thresholds: readonly number[] | null;
  readonly dropout: number;
  readonly norm: "batch" | "group";
  readonly groups: number;
  readonly normalization: BandNormalization | null;
  readonly initializer: Initializer;
}

const MAX_CLASSES = 4096;

const fields = fieldsOf("FeatureClassifier");
const { whole, oneOf, bandsOf, normalizationOf, wrong } = fields;

/**
 * Fills in the defaults and checks every field.
 *
 * @throws INVALID_ARGUMENT that names the field, what was given and what is expected
 */
export function resolveFeatureClassifierConfig(config: FeatureClassifierConfig): ResolvedFeatureClassifierConfig {
  const bands = bandsOf(config.bands);
  const given = config.backbone ?? "resnet18";
  const backbone = (typeof given === "string" ? backboneNamed(given) : null) ?? oneOf("backbone", given as BackboneName, backboneNames());
  const multiLabel = config.multiLabel ?? false;
  if (typeof multiLabel !== "boolean") throw wrong("multiLabel", multiLabel, "true or false");
  const classes = whole("classes", config.classes, multiLabel ? 1 : 2, MAX_CLASSES);
  return {
    bands,
    classes,
    backbone,
    convention: oneOf("convention", config.convention ?? "torch", conventionsOf(backbone)),
    multiLabel,
    thresholds: thresholdsOf(config.thresholds ?? null, multiLabel, classes),
    dropout: dropoutOf(fields, config.dropout ?? usualDropout(backbone)),
    norm: oneOf("norm", config.norm ?? "batch", ["batch", "group"]),
    groups: whole("groups", config.groups ?? 8, 1, 4096),
    normalization: normalizationOf(config.normalization, bands),
    initializer: oneOf("initializer", config.initializer ?? "torch", ["torch", "heNormal"]),
  };
}

/** Share of the features torchvision leaves out in training. */
function usualDropout(backbone: BackboneName): number {
  if (backbone.startsWith("resnet")) return 0;
  return /-b[23]$/.test(backbone) ? 0.3 : 0.2;
}

function thresholdsOf(given: unknown, multiLabel: boolean, classes: number): readonly number[] | null {
  if (!multiLabel) {
    if (given === null) return null;
    throw wrong("thresholds", given, "none: an image has the one class of the greatest score unless `multiLabel` is true");
  }
  if (given === null) return Array.from({ length: classes }, () => 0.5);
  const sound = (value: unknown): boolean => typeof value === "number" && value > 0 && value < 1;
  if (!Array.isArray(given) || given.length !== classes || !given.every(sound))
    throw wrong("thresholds", given, `${classes} numbers between 0 and 1, one per class`);
  return [...given] as number[];
}
