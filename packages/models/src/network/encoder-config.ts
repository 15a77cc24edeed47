/** The encoder of a network and what holds for all its layers, as a user writes it and as a model package keeps it. */

import {
  type BackboneAlias,
  backboneNamed,
  type BackboneName,
  backboneNames,
  type Convention,
  conventionsOf,
} from "../backbones/backbone.ts";
import type { Fields } from "./config-fields.ts";
import type { Initializer } from "./initializers.ts";
import type { BandNormalization } from "./normalization.ts";

/** What all layers of a network have in common, whatever its encoder. */
export interface LayersConfig {
  /** Bands of the images. */
  readonly bands: number;
  /**
   * Which line of networks the encoder follows where they differ, so that their weights fit: `"torch"` pads alike on all sides
   * and has epsilon 1e-5 in its norms, `"tensorflow"` (EfficientNets and MobileNetV2 from TensorFlow and Keras, also under the
   * names of efficientnet-pytorch) pads more at the end and has 1e-3. @defaultValue "torch"
   */
  readonly convention?: Convention;
  /** Normalization between layers: over the batch, or over groups of channels of each image. @defaultValue "batch" */
  readonly norm?: "batch" | "group";
  /** Groups of group norm; a layer whose filters it does not divide takes the next smaller divisor. @defaultValue 8 */
  readonly groups?: number;
  /** `(x - mean) / std` of the raw pixel values, part of the network. @defaultValue none: pixels enter as they are */
  readonly normalization?: BandNormalization | null;
  /** How weights begin: those of the encoder, and of a decoder of pixels; heads and pyramids always begin as torchvision's. @defaultValue "torch" */
  readonly initializer?: Initializer;
}

/** The layers, and a borrowed encoder. */
export interface EncoderConfig extends LayersConfig {
  /** Encoder, by our names or torchvision's. @defaultValue "resnet50" for networks of pixels, "resnet18" for the others */
  readonly backbone?: BackboneName | BackboneAlias;
}

/** A complete, checked {@link LayersConfig}: plain JSON, kept in model packages. */
export interface ResolvedLayersConfig extends Readonly<Record<string, unknown>> {
  readonly bands: number;
  readonly convention: Convention;
  readonly norm: "batch" | "group";
  readonly groups: number;
  readonly normalization: BandNormalization | null;
  readonly initializer: Initializer;
}

/** A complete, checked {@link EncoderConfig}. */
export interface ResolvedEncoderConfig extends ResolvedLayersConfig {
  readonly backbone: BackboneName;
}

/** Limit that keeps a config from a stranger's file from asking for absurd amounts of memory. */
const MAX_GROUPS = 4096;

/**
 * Fills in the defaults and checks these fields.
 *
 * @param usual the encoder where none is given
 * @throws INVALID_ARGUMENT that names the field, what was given and what is expected
 */
export function resolveEncoder(fields: Fields, config: EncoderConfig, usual: BackboneName): ResolvedEncoderConfig {
  const backbone = backboneOf(fields, config.backbone ?? usual);
  return { ...resolveLayers(fields, config, backbone), backbone };
}

/** The encoder of that name, ours or torchvision's. */
export function backboneOf({ oneOf }: Fields, given: unknown): BackboneName {
  return (typeof given === "string" ? backboneNamed(given) : null) ?? oneOf("backbone", given as BackboneName, backboneNames());
}

/** Fills in and checks what all layers have; `backbone` is null where the encoder is a plain one. */
export function resolveLayers(
  { whole, oneOf, bandsOf, normalizationOf }: Fields,
  config: LayersConfig,
  backbone: BackboneName | null,
): ResolvedLayersConfig {
  const bands = bandsOf(config.bands);
  return {
    bands,
    convention: oneOf("convention", config.convention ?? "torch", backbone === null ? ["torch"] : conventionsOf(backbone)),
    norm: oneOf("norm", config.norm ?? "batch", ["batch", "group"]),
    groups: whole("groups", config.groups ?? 8, 1, MAX_GROUPS),
    normalization: normalizationOf(config.normalization, bands),
    initializer: oneOf("initializer", config.initializer ?? "torch", ["torch", "heNormal"]),
  };
}
