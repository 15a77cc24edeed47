/** What a classifier of whole images is made from, as a user writes it and as a model package keeps it. */

import type { BackboneName } from "../backbones/backbone.ts";
import { fieldsOf } from "../network/config-fields.ts";
import { type EncoderConfig, type ResolvedEncoderConfig, resolveEncoder } from "../network/encoder-config.ts";

/** What `createFeatureClassifier` takes. */
export interface FeatureClassifierConfig extends EncoderConfig {
  /** Classes to tell apart: at least 2, or 1 where an image may have several or none. */
  readonly classes: number;
  /** Whether an image may have several classes, or none: each class then has a probability of its own. @defaultValue false */
  readonly multiLabel?: boolean;
  /** With several classes an image: the probability from which it has a class, for each class. @defaultValue 0.5 each */
  readonly thresholds?: readonly number[] | null;
  /** Share of the features that is left out at random in training, 0 to 1. @defaultValue torchvision's: 0.2 for MobileNets and EfficientNet B0 and B1, 0.3 for B2 and B3, none for ResNets */
  readonly dropout?: number;
}

/** A complete, checked {@link FeatureClassifierConfig}: plain JSON, kept in model packages. */
export interface ResolvedFeatureClassifierConfig extends ResolvedEncoderConfig {
  readonly classes: number;
  readonly multiLabel: boolean;
  /** One for each class; null where an image has one class, that of the greatest score. */
  readonly thresholds: readonly number[] | null;
  readonly dropout: number;
}

const MAX_CLASSES = 4096;
const BACKBONE = "resnet18";

const fields = fieldsOf("FeatureClassifier");
const { whole, wrong } = fields;

/**
 * Fills in the defaults and checks every field.
 *
 * @throws INVALID_ARGUMENT that names the field, what was given and what is expected
 */
export function resolveFeatureClassifierConfig(config: FeatureClassifierConfig): ResolvedFeatureClassifierConfig {
  const encoder = resolveEncoder(fields, config, BACKBONE);
  const multiLabel = config.multiLabel ?? false;
  if (typeof multiLabel !== "boolean") throw wrong("multiLabel", multiLabel, "true or false");
  const classes = whole("classes", config.classes, multiLabel ? 1 : 2, MAX_CLASSES);
  return {
    ...encoder,
    classes,
    multiLabel,
    thresholds: thresholdsOf(config.thresholds ?? null, multiLabel, classes),
    dropout: fields.dropoutOf(config.dropout ?? usualDropout(encoder.backbone)),
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
