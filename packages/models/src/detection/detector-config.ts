/** What detectors with a pyramid on an encoder have in common, as a user writes it and as a model package keeps it. */

import type { Fields } from "../network/config-fields.ts";
import { type EncoderConfig, type ResolvedEncoderConfig, resolveEncoder } from "../network/encoder-config.ts";

/** Bands, classes and encoder of a detector. */
export interface DetectorConfig extends EncoderConfig {
  /** Classes of objects; background is none of them (torchvision's R-CNNs count it, their 91 are 90 here). */
  readonly classes: number;
}

/** A complete, checked {@link DetectorConfig}. */
export interface ResolvedDetectorConfig extends ResolvedEncoderConfig {
  readonly classes: number;
}

/** Maps of every detector's pyramid. */
export const PYRAMID_LEVELS = 5;

const BACKBONE = "resnet18";

/** Fills in the defaults and checks every field. @throws INVALID_ARGUMENT that names the field, what was given and what is expected */
export function resolveDetectorConfig(config: DetectorConfig, fields: Fields): ResolvedDetectorConfig {
  return { ...resolveEncoder(fields, config, BACKBONE), classes: fields.classesOf(config.classes) };
}
