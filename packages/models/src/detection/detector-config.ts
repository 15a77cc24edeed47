/** What detectors with a pyramid on an encoder have in common, as a user writes it and as a model package keeps it. */

import {
  type BackboneAlias,
  backboneNamed,
  type BackboneName,
  backboneNames,
  type Convention,
  conventionsOf,
} from "../backbones/backbone.ts";
import type { Fields } from "../network/config-fields.ts";
import type { Initializer } from "../network/initializers.ts";
import type { BandNormalization } from "../network/normalization.ts";

/** Bands, classes and encoder of a detector. */
export interface DetectorConfig {
  /** Bands of the images. */
  readonly bands: number;
  /** Classes of objects; background is none of them (torchvision's R-CNNs count it, their 91 are 90 here). */
  readonly classes: number;
  /** Encoder, by our names or torchvision's. @defaultValue "resnet18" */
  readonly backbone?: BackboneName | BackboneAlias;
  /** Which line of networks the encoder follows where they differ, as for a U-Net. @defaultValue "torch" */
  readonly convention?: Convention;
  /** Normalization between the encoder's layers: over the batch, or over groups of channels of each image. @defaultValue "batch" */
  readonly norm?: "batch" | "group";
  /** Groups of group norm; a layer whose filters it does not divide takes the next smaller divisor. @defaultValue 8 */
  readonly groups?: number;
  /** `(x - mean) / std` of the raw pixel values, part of the network. @defaultValue none: pixels enter as they are */
  readonly normalization?: BandNormalization | null;
  /** How the encoder's weights begin; pyramid and heads always begin as torchvision's. @defaultValue "torch" */
  readonly initializer?: Initializer;
}

/** A complete, checked {@link DetectorConfig}. */
export interface ResolvedDetectorConfig extends Readonly<Record<string, unknown>> {
  readonly bands: number;
  readonly classes: number;
  readonly backbone: BackboneName;
  readonly convention: Convention;
  readonly norm: "batch" | "group";
  readonly groups: number;
  readonly normalization: BandNormalization | null;
  readonly initializer: Initializer;
}

/** Maps of every detector's pyramid. */
export const PYRAMID_LEVELS = 5;

/** Fills in the defaults and checks every field. @throws INVALID_ARGUMENT that names the field, what was given and what is expected */
export function resolveDetectorConfig(config: DetectorConfig, fields: Fields): ResolvedDetectorConfig {
  const { whole, oneOf, bandsOf, classesOf, normalizationOf } = fields;
  const bands = bandsOf(config.bands);
  const given = config.backbone ?? "resnet18";
  const backbone = (typeof given === "string" ? backboneNamed(given) : null) ?? oneOf("backbone", given as BackboneName, backboneNames());
  return {
    bands,
    classes: classesOf(config.classes),
    backbone,
    convention: oneOf("convention", config.convention ?? "torch", conventionsOf(backbone)),
    norm: oneOf("norm", config.norm ?? "batch", ["batch", "group"]),
    groups: whole("groups", config.groups ?? 8, 1, 4096),
    normalization: normalizationOf(config.normalization, bands),
    initializer: oneOf("initializer", config.initializer ?? "torch", ["torch", "heNormal"]),
  };
}
