/** What an FCOS is made from, as a user writes it and as a model package keeps it. */

import { type DetectorConfig, PYRAMID_LEVELS, type ResolvedDetectorConfig, resolveDetectorConfig } from "../detection/detector-config.ts";
import { type Fields, fieldsOf } from "../network/config-fields.ts";

/** What `createFCOS` takes. */
export interface FCOSConfig extends DetectorConfig {
  /**
   * Which of the five maps finds which objects: four numbers of pixels, rising. The finest map finds an object from points whose distance to its
   * farthest border is below the first number, the next from those between the first and the second, the coarsest beyond the last.
   * @defaultValue [64, 128, 256, 512]
   */
  readonly objectSizes?: readonly number[];
  /** Channels of the feature pyramid and of both heads. @defaultValue 256 */
  readonly fpnWidth?: number;
  /** Convolutions of each head in front of its last. @defaultValue 4 */
  readonly headDepth?: number;
}

/** A complete, checked {@link FCOSConfig}: plain JSON, kept in model packages. */
export interface ResolvedFCOSConfig extends ResolvedDetectorConfig {
  readonly objectSizes: readonly number[];
  readonly fpnWidth: number;
  readonly headDepth: number;
}

/** torchvision's. */
export const USUAL_FCOS = { objectSizes: [64, 128, 256, 512], fpnWidth: 256, headDepth: 4 } as const;

/**
 * Fills in the defaults and checks every field.
 *
 * @throws INVALID_ARGUMENT that names the field, what was given and what is expected
 */
export function resolveFCOSConfig(config: FCOSConfig): ResolvedFCOSConfig {
  return resolvePoints(config, fieldsOf("FCOS"), USUAL_FCOS);
}

/** The same with defaults of one's own. */
export function resolvePoints(
  config: FCOSConfig,
  fields: Fields,
  usual: Pick<ResolvedFCOSConfig, "objectSizes" | "fpnWidth" | "headDepth">,
): ResolvedFCOSConfig {
  const { whole } = fields;
  return {
    ...resolveDetectorConfig(config, fields),
    objectSizes: risingSizes(config.objectSizes ?? usual.objectSizes, fields),
    fpnWidth: whole("fpnWidth", config.fpnWidth ?? usual.fpnWidth, 1, 4096),
    headDepth: whole("headDepth", config.headDepth ?? usual.headDepth, 0, 16),
  };
}

function risingSizes(given: unknown, { positives, wrong }: Fields): readonly number[] {
  const limits = PYRAMID_LEVELS - 1;
  const sizes = positives("objectSizes", given, [limits, limits], 65536);
  if (sizes.some((size, i) => i > 0 && size <= sizes[i - 1]!))
    throw wrong("objectSizes", given, "numbers of which each is above the one before");
  return sizes;
}
