/** Fields of pixel networks on a borrowed encoder, whatever follows it. */

import type { Fields } from "./config-fields.ts";
import { type EncoderConfig, type ResolvedEncoderConfig, resolveEncoder } from "./encoder-config.ts";

/** What such networks are made from. */
export interface EncodedPixelsConfig extends EncoderConfig {
  /** Classes to tell apart, background included. */
  readonly classes: number;
  /** Channels in front of the layer of classes. */
  readonly decoderWidth?: number;
  /** Pixels at each border of a chip that are seen but neither scored nor returned. @defaultValue 0 */
  readonly margin?: number;
}

/** A complete, checked {@link EncodedPixelsConfig}: plain JSON, kept in model packages. */
export interface ResolvedEncodedPixelsConfig extends ResolvedEncoderConfig {
  readonly classes: number;
  readonly decoderWidth: number;
  readonly margin: number;
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
  const { whole, classesOf } = fields;
  return {
    ...resolveEncoder(fields, config, BACKBONE),
    classes: classesOf(config.classes),
    decoderWidth: whole("decoderWidth", config.decoderWidth ?? decoderWidth, 1, MAX_WIDTH),
    margin: whole("margin", config.margin ?? 0, 0, 65536),
  };
}

/** The output stride of an encoder. */
export function outputStrideOf<T extends number>({ wrong }: Fields, value: unknown, known: readonly T[]): T {
  if (!known.includes(value as T)) throw wrong("outputStride", value, known.join(" or "));
  return value as T;
}
