/** What a PSPNet is made from, as a user writes it and as a model package keeps it. */

import type { OutputStride } from "../backbones/backbone.ts";
import { fieldsOf } from "../network/config-fields.ts";
import {
  type EncodedPixelsConfig,
  outputStrideOf,
  type ResolvedEncodedPixelsConfig,
  resolveEncodedPixels,
} from "../network/encoded-pixels-config.ts";

/** What `createPSPNet` takes. */
export interface PSPNetConfig extends EncodedPixelsConfig {
  /** Maps taken from the encoder: 3 stops at an 8th of the image, which is quick; 5 is the whole encoder, as Zhao et al. have it. @defaultValue 3 */
  readonly depth?: 3 | 4 | 5;
  /** What the image's sides are divided by in the last of these maps, at most 2 to the `depth`; sides of chips are multiples of it. @defaultValue 8 */
  readonly outputStride?: OutputStride;
  /** Cells along each side of the grids whose means are seen. @defaultValue [1, 2, 3, 6] */
  readonly pyramidSizes?: readonly number[];
  /** Channels behind the pyramid. @defaultValue 512 */
  readonly decoderWidth?: number;
  /** Share of the pyramid's channels that each training step leaves out. @defaultValue 0.2 */
  readonly dropout?: number;
}

/** A complete, checked {@link PSPNetConfig}. */
export interface ResolvedPSPNetConfig extends ResolvedEncodedPixelsConfig {
  readonly depth: number;
  readonly outputStride: OutputStride;
  readonly pyramidSizes: readonly number[];
  readonly dropout: number;
}

const WIDTH = 512;
const DROPOUT = 0.2;
const SIZES = [1, 2, 3, 6];
const MOST_SIZES = 16;
const MAX_SIZE = 256;

const fields = fieldsOf("PSPNet");

/**
 * Fills in the defaults and checks every field.
 *
 * @throws INVALID_ARGUMENT that names the field, what was given and what is expected
 */
export function resolvePSPNetConfig(config: PSPNetConfig): ResolvedPSPNetConfig {
  const depth = fields.whole("depth", config.depth ?? 3, 3, 5);
  const strides = ([8, 16, 32] as const).filter((stride) => stride <= 2 ** depth);
  return {
    ...resolveEncodedPixels(fields, config, WIDTH),
    depth,
    outputStride: outputStrideOf(fields, config.outputStride ?? 8, strides),
    pyramidSizes: sizesOf(config.pyramidSizes ?? SIZES),
    dropout: fields.dropoutOf(config.dropout ?? DROPOUT),
  };
}

function sizesOf(sizes: unknown): readonly number[] {
  if (!Array.isArray(sizes) || sizes.length === 0 || sizes.length > MOST_SIZES)
    throw fields.wrong("pyramidSizes", sizes, `1 to ${MOST_SIZES} whole numbers`);
  return sizes.map((size: unknown) => fields.whole("pyramidSizes", size, 1, MAX_SIZE));
}
