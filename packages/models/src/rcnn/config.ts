/** What a Faster R-CNN or Mask R-CNN is made from, as a user writes it and as a model package keeps it. */

import type { OptionNames } from "@geolearn/core";

import { type DetectorConfig, PYRAMID_LEVELS, type ResolvedDetectorConfig, resolveDetectorConfig } from "../detection/detector-config.ts";
import { type Fields, fieldsOf } from "../network/config-fields.ts";

/** Boxes the network starts from, around each cell of its five maps (at a quarter to a 64th of the image). */
export interface RcnnAnchors {
  /** Side of the square anchor of each map, in pixels, the finest map first. @defaultValue [32, 64, 128, 256, 512], compact [16, 32, 64, 128, 256] */
  readonly sizes?: readonly number[];
  /** Height over width. @defaultValue [0.5, 1, 2] */
  readonly ratios?: readonly number[];
}

/** A number for training, and one for finding objects. */
export type PerUse = readonly [training: number, finding: number];

/** What `createFasterRCNN` takes. */
export interface FasterRCNNConfig extends DetectorConfig {
  /**
   * Where the defaults of widths, anchors and numbers come from: `"full"` are torchvision's, for photographs of a thousand pixels; `"compact"` are
   * for chips of up to some 256 pixels, and train some twenty times faster. @defaultValue "full"
   */
  readonly preset?: "full" | "compact";
  readonly anchors?: RcnnAnchors;
  /** Channels of the feature pyramid. @defaultValue 256, compact 64 */
  readonly fpnWidth?: number;
  /** Outputs of both linear layers of the box head. @defaultValue 1024, compact 256 */
  readonly boxHeadWidth?: number;
  /** Best anchors of each map that are looked at. @defaultValue [2000, 1000], compact [500, 500] */
  readonly candidates?: PerUse;
  /** Proposals of an image left after suppression. @defaultValue [2000, 1000], compact [200, 100] */
  readonly proposals?: PerUse;
  /** Anchors of an image the proposal network learns from in a step, half of them objects where there are as many. @defaultValue 256 */
  readonly rpnSamples?: number;
  /** Proposals of an image the heads learn from in a step, at most a quarter of them objects. @defaultValue 512, compact 64 */
  readonly rois?: number;
  /** Objects found on an image unless `decode` is told another number. @defaultValue 100, compact 50 */
  readonly detections?: number;
}

/** What `createMaskRCNN` takes. */
export interface MaskRCNNConfig extends FasterRCNNConfig {
  /** Channels of the mask head. @defaultValue 256, compact 64 */
  readonly maskHeadWidth?: number;
  /** Convolutions of the mask head in front of its enlargement. @defaultValue 4, compact 2 */
  readonly maskHeadDepth?: number;
}

/** A complete, checked {@link FasterRCNNConfig}: plain JSON, kept in model packages. */
export interface ResolvedFasterRCNNConfig extends ResolvedDetectorConfig {
  readonly anchors: Readonly<Required<RcnnAnchors>>;
  readonly fpnWidth: number;
  readonly boxHeadWidth: number;
  readonly candidates: PerUse;
  readonly proposals: PerUse;
  readonly rpnSamples: number;
  readonly rois: number;
  readonly detections: number;
}

/** A complete, checked {@link MaskRCNNConfig}. */
export interface ResolvedMaskRCNNConfig extends ResolvedFasterRCNNConfig {
  readonly maskHeadWidth: number;
  readonly maskHeadDepth: number;
}

const PRESETS = {
  full: {
    ...{ sizes: [32, 64, 128, 256, 512], fpnWidth: 256, boxHeadWidth: 1024, maskHeadWidth: 256, maskHeadDepth: 4 },
    ...{ candidates: [2000, 1000], proposals: [2000, 1000], rois: 512, detections: 100 },
  },
  compact: {
    ...{ sizes: [16, 32, 64, 128, 256], fpnWidth: 64, boxHeadWidth: 256, maskHeadWidth: 64, maskHeadDepth: 2 },
    ...{ candidates: [500, 500], proposals: [200, 100], rois: 64, detections: 50 },
  },
} as const;
const RATIOS = [0.5, 1, 2];
const ANCHORS: OptionNames<RcnnAnchors> = { sizes: true, ratios: true };

/**
 * Fills in the defaults and checks every field.
 *
 * @throws INVALID_ARGUMENT that names the field, what was given and what is expected
 */
export function resolveFasterRCNNConfig(config: FasterRCNNConfig): ResolvedFasterRCNNConfig {
  return resolved(config, fieldsOf("Faster R-CNN"));
}

/** As {@link resolveFasterRCNNConfig}. */
export function resolveMaskRCNNConfig(config: MaskRCNNConfig): ResolvedMaskRCNNConfig {
  const fields = fieldsOf("Mask R-CNN");
  const usual = presetOf(config, fields);
  return {
    ...resolved(config, fields),
    maskHeadWidth: fields.whole("maskHeadWidth", config.maskHeadWidth ?? usual.maskHeadWidth, 1, 4096),
    maskHeadDepth: fields.whole("maskHeadDepth", config.maskHeadDepth ?? usual.maskHeadDepth, 0, 16),
  };
}

function presetOf({ preset = "full" }: FasterRCNNConfig, { oneOf }: Fields): (typeof PRESETS)["full" | "compact"] {
  return PRESETS[oneOf("preset", preset, ["full", "compact"])];
}

function resolved(config: FasterRCNNConfig, fields: Fields): ResolvedFasterRCNNConfig {
  const { whole } = fields;
  const usual = presetOf(config, fields);
  return {
    ...resolveDetectorConfig(config, fields),
    anchors: anchorsOf(config.anchors ?? {}, usual.sizes, fields),
    fpnWidth: whole("fpnWidth", config.fpnWidth ?? usual.fpnWidth, 1, 4096),
    boxHeadWidth: whole("boxHeadWidth", config.boxHeadWidth ?? usual.boxHeadWidth, 1, 16384),
    candidates: perUse("candidates", config.candidates ?? usual.candidates, fields),
    proposals: perUse("proposals", config.proposals ?? usual.proposals, fields),
    rpnSamples: whole("rpnSamples", config.rpnSamples ?? 256, 2, 65536),
    rois: whole("rois", config.rois ?? usual.rois, 4, 65536),
    detections: whole("detections", config.detections ?? usual.detections, 1, 4096),
  };
}

function anchorsOf(given: RcnnAnchors, usual: readonly number[], { positives, named, wrong }: Fields): ResolvedFasterRCNNConfig["anchors"] {
  named("anchors", given, ANCHORS);
  const anchors = {
    sizes: positives("anchors.sizes", given.sizes ?? usual, [PYRAMID_LEVELS, PYRAMID_LEVELS], 65536),
    ratios: positives("anchors.ratios", given.ratios ?? RATIOS, [1, 16], 64),
  };
  // Half a side is rounded to whole pixels, half a pixel to none.
  const thinnest = Math.min(...anchors.ratios.flatMap((ratio) => [Math.sqrt(ratio), Math.sqrt(1 / ratio)]));
  if (Math.trunc(Math.min(...anchors.sizes)) * thinnest <= 1)
    throw wrong("anchors", given, "sizes and ratios of which no side is below a pixel");
  return anchors;
}

function perUse(field: string, value: unknown, { positives, wrong }: Fields): PerUse {
  const numbers = positives(field, value, [2, 2], 65536);
  if (!numbers.every(Number.isInteger)) throw wrong(field, value, "2 whole numbers, for training and for finding");
  return numbers as [number, number];
}
