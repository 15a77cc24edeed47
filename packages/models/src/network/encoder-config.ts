/** Fields of pixel networks on a borrowed encoder, whatever follows it. */

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

/** What such networks are made from. */
export interface EncodedPixelsConfig {
  /** Bands of the images. */
  readonly bands: number;
  /** Classes to tell apart, background included. */
  readonly classes: number;
  /** Encoder, by our names or torchvision's. @defaultValue "resnet50" */
  readonly backbone?: BackboneName | BackboneAlias;
  /** Which line of networks the encoder follows where they differ, as for a U-Net. @defaultValue "torch" */
  readonly convention?: Convention;
  /** Channels in front of the layer of classes. */
  readonly decoderWidth?: number;
  /** Pixels at each border of a chip that are seen but neither scored nor returned. @defaultValue 0 */
  readonly margin?: number;
  /** Normalization between layers: over the batch, or over groups of channels of each image. @defaultValue "batch" */
  readonly norm?: "batch" | "group";
  /** Groups of group norm; a layer whose filters it does not divide takes the next smaller divisor. @defaultValue 8 */
  readonly groups?: number;
  /** `(x - mean) / std` of the raw pixel values, part of the network. @defaultValue none: pixels enter as they are */
  readonly normalization?: BandNormalization | null;
  /** How weights begin. @defaultValue "torch" */
  readonly initializer?: Initializer;
}

/** A complete, checked {@link EncodedPixelsConfig}: plain JSON, kept in model packages. */
export interface ResolvedEncodedPixelsConfig extends Readonly<Record<string, unknown>> {
  readonly bands: number;
  readonly classes: number;
  readonly backbone: BackboneName;
  readonly convention: Convention;
  readonly decoderWidth: number;
  readonly margin: number;
  readonly norm: "batch" | "group";
  readonly groups: number;
  readonly normalization: BandNormalization | null;
  readonly initializer: Initializer;
}

/** Limit that keeps a config from a stranger's file from asking for absurd amounts of memory. */
const MAX_WIDTH = 4096;
const BACKBONE = "resnet50";

/**
 * Fills in the defaults and checks these fields.
 *
 * @throws INVALID_ARGUMENT that names the field, what was given and what is expected
 */
export function resolveEncodedPixels(fields: Fields, config: EncodedPixelsConfig, decoderWidth: number): ResolvedEncodedPixelsConfig {
  const { whole, oneOf, bandsOf, classesOf, normalizationOf } = fields;
  const bands = bandsOf(config.bands);
  const given = config.backbone ?? BACKBONE;
  const backbone = (typeof given === "string" ? backboneNamed(given) : null) ?? oneOf("backbone", given as BackboneName, backboneNames());
  return {
    bands,
    classes: classesOf(config.classes),
    backbone,
    convention: oneOf("convention", config.convention ?? "torch", conventionsOf(backbone)),
    decoderWidth: whole("decoderWidth", config.decoderWidth ?? decoderWidth, 1, MAX_WIDTH),
    margin: whole("margin", config.margin ?? 0, 0, 65536),
    norm: oneOf("norm", config.norm ?? "batch", ["batch", "group"]),
    groups: whole("groups", config.groups ?? 8, 1, MAX_WIDTH),
    normalization: normalizationOf(config.normalization, bands),
    initializer: oneOf("initializer", config.initializer ?? "torch", ["torch", "heNormal"]),
  };
}

/** A share of values dropped in training: from 0 to below 1. */
export function dropoutOf({ wrong }: Fields, value: unknown): number {
  if (typeof value !== "number" || !(value >= 0 && value < 1)) throw wrong("dropout", value, "a number from 0 to below 1");
  return value;
}

/** The output stride of an encoder. */
export function outputStrideOf<T extends number>({ wrong }: Fields, value: unknown, known: readonly T[]): T {
  if (!known.includes(value as T)) throw wrong("outputStride", value, known.join(" or "));
  return value as T;
}
