/** What a RetinaNet is made from, as a user writes it and as a model package keeps it. */

import type { OptionNames } from "@geolearn/core";

import { type DetectorConfig, PYRAMID_LEVELS, type ResolvedDetectorConfig, resolveDetectorConfig } from "../detection/detector-config.ts";
import { fieldsOf } from "../network/config-fields.ts";

/** Boxes the network starts from, around each cell of its five maps (at an 8th to a 128th of the image). */
export interface RetinaNetAnchors {
  /** Side of the smallest square anchor of each map, in pixels, the finest map first. @defaultValue [32, 64, 128, 256, 512] */
  readonly sizes?: readonly number[];
  /** Each size is taken times each of these, cut to whole pixels. @defaultValue [1, 2 ** (1 / 3), 2 ** (2 / 3)] */
  readonly scales?: readonly number[];
  /** Height over width. @defaultValue [0.5, 1, 2] */
  readonly ratios?: readonly number[];
}

/** What `createRetinaNet` takes. */
export interface RetinaNetConfig extends DetectorConfig {
  readonly anchors?: RetinaNetAnchors;
  /** Channels of the feature pyramid and of both heads. @defaultValue 256 */
  readonly fpnWidth?: number;
  /** Convolutions of each head in front of its last. @defaultValue 4 */
  readonly headDepth?: number;
}

/** A complete, checked {@link RetinaNetConfig}: plain JSON, kept in model packages. */
export interface ResolvedRetinaNetConfig extends ResolvedDetectorConfig {
  readonly anchors: Readonly<Required<RetinaNetAnchors>>;
  readonly fpnWidth: number;
  readonly headDepth: number;
}

const SIZES = [32, 64, 128, 256, 512];
const SCALES = [1, 2 ** (1 / 3), 2 ** (2 / 3)];
const RATIOS = [0.5, 1, 2];
const ANCHORS: OptionNames<RetinaNetAnchors> = { sizes: true, scales: true, ratios: true };

const fields = fieldsOf("RetinaNet");
const { whole, positives, named, wrong } = fields;

/**
 * Fills in the defaults and checks every field.
 *
 * @throws INVALID_ARGUMENT that names the field, what was given and what is expected
 */
export function resolveRetinaNetConfig(config: RetinaNetConfig): ResolvedRetinaNetConfig {
  return {
    ...resolveDetectorConfig(config, fields),
    anchors: anchorsOf(config.anchors ?? {}),
    fpnWidth: whole("fpnWidth", config.fpnWidth ?? 256, 1, 4096),
    headDepth: whole("headDepth", config.headDepth ?? 4, 0, 16),
  };
}

/** Anchors of one cell. */
export function anchorsPerCell({ scales, ratios }: ResolvedRetinaNetConfig["anchors"]): number {
  return scales.length * ratios.length;
}

function anchorsOf(given: RetinaNetAnchors): ResolvedRetinaNetConfig["anchors"] {
  named("anchors", given, ANCHORS);
  const anchors = {
    sizes: positives("anchors.sizes", given.sizes ?? SIZES, [PYRAMID_LEVELS, PYRAMID_LEVELS], 65536),
    scales: positives("anchors.scales", given.scales ?? SCALES, [1, 16], 64),
    ratios: positives("anchors.ratios", given.ratios ?? RATIOS, [1, 16], 64),
  };
  if (Math.min(...anchors.sizes) * Math.min(...anchors.scales) < 1)
    throw wrong("anchors", given, "sizes that are at least 1 pixel times every scale");
  return anchors;
}
