/** What a U-Net is made from, as a user writes it and as a model package keeps it. */

import type { BackboneAlias, BackboneName } from "../backbones/backbone.ts";
import { type Fields, fieldsOf } from "../network/config-fields.ts";
import { backboneOf, type LayersConfig, type ResolvedLayersConfig, resolveLayers } from "../network/encoder-config.ts";

/** Encoders a U-Net may borrow, by our names or torchvision's. */
export type UNetBackbone = BackboneName | BackboneAlias;

/** What `createUNet` takes. */
export interface UNetConfig extends LayersConfig {
  /** Classes to tell apart, background included. */
  readonly classes: number;
  /** Borrowed encoder, or null for the plain one. @defaultValue null */
  readonly backbone?: UNetBackbone | null;
  /** Filters of the plain encoder's first level; each further level has twice as many. @defaultValue 16 */
  readonly base?: number;
  /** Levels of the plain encoder, that is halvings of the image. @defaultValue 4 */
  readonly depth?: number;
  /** Filters of each level of the plain encoder and, last, of the middle, instead of `base` and `depth`. */
  readonly widths?: readonly number[];
  /** Filters of the five decoder levels behind a borrowed encoder. @defaultValue [256, 128, 64, 32, 16] */
  readonly decoderWidths?: readonly number[];
  /** How the decoder receives the encoder's maps: beside its own, or added to them. @defaultValue "concat" */
  readonly skips?: "concat" | "add";
  /** Pixels at each border of a chip that are seen but neither scored nor returned. @defaultValue 0 */
  readonly margin?: number;
}

/** A complete, checked {@link UNetConfig}: plain JSON, kept in model packages. */
export interface ResolvedUNetConfig extends ResolvedLayersConfig {
  readonly classes: number;
  readonly backbone: BackboneName | null;
  /** Filters of each encoder level and of the middle; empty with a borrowed encoder. */
  readonly widths: readonly number[];
  /** Empty with the plain encoder. */
  readonly decoderWidths: readonly number[];
  readonly skips: "concat" | "add";
  readonly margin: number;
}

/** Limits that keep a config from a stranger's file from asking for absurd amounts of memory. */
const MAX_WIDTH = 4096;
const MAX_DEPTH = 8;
const DECODER_WIDTHS = [256, 128, 64, 32, 16];

/**
 * Fills in the defaults and checks every field; `fields` belongs to the network that has them.
 *
 * @throws INVALID_ARGUMENT that names the field, what was given and what is expected
 */
export function resolveUNetConfig(config: UNetConfig, fields: Fields = fieldsOf("UNet")): ResolvedUNetConfig {
  const { whole, oneOf, classesOf } = fields;
  const backbone = config.backbone === undefined || config.backbone === null ? null : backboneOf(fields, config.backbone);
  return {
    ...resolveLayers(fields, config, backbone),
    classes: classesOf(config.classes),
    backbone,
    widths: backbone === null ? plainWidths(config, fields) : [],
    decoderWidths: backbone === null ? [] : decoderWidths(config, fields),
    skips: oneOf("skips", config.skips ?? "concat", ["concat", "add"]),
    margin: whole("margin", config.margin ?? 0, 0, 65536),
  };
}

/** Sides of a chip must be multiples of this: one factor 2 for each halving. */
export function strideOf(config: Pick<ResolvedUNetConfig, "backbone" | "widths">): number {
  return config.backbone === null ? 2 ** (config.widths.length - 1) : 32;
}

function plainWidths(config: UNetConfig, { whole, wrong }: Fields): readonly number[] {
  const { widths = [] } = config;
  if (!Array.isArray(widths)) throw wrong("widths", widths, "a list of numbers");
  if (widths.length > 0) {
    if (widths.length < 2 || widths.length > MAX_DEPTH + 1) throw wrong("widths", widths, `2 to ${MAX_DEPTH + 1} numbers`);
    return widths.map((width: unknown) => whole("widths", width, 1, MAX_WIDTH));
  }
  const depth = whole("depth", config.depth ?? 4, 1, MAX_DEPTH);
  const base = whole("base", config.base ?? 16, 1, Math.floor(MAX_WIDTH / 2 ** depth));
  return Array.from({ length: depth + 1 }, (_, level) => base * 2 ** level);
}

function decoderWidths(config: UNetConfig, { whole, wrong }: Fields): readonly number[] {
  const widths = config.decoderWidths ?? DECODER_WIDTHS;
  if (!Array.isArray(widths) || widths.length !== DECODER_WIDTHS.length)
    throw wrong("decoderWidths", widths, `${DECODER_WIDTHS.length} numbers`);
  return widths.map((width: unknown) => whole("decoderWidths", width, 1, MAX_WIDTH));
}
