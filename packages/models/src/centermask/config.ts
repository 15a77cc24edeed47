/** What a CenterMask is made from, as a user writes it and as a model package keeps it. */

import { type FCOSConfig, type ResolvedFCOSConfig, resolvePoints, USUAL_FCOS } from "../fcos/config.ts";
import { fieldsOf } from "../network/config-fields.ts";

/** What `createCenterMask` takes. */
export interface CenterMaskConfig extends FCOSConfig {
  /**
   * Where the defaults of widths and numbers come from: `"full"` are those of torchvision's FCOS and Mask R-CNN, for photographs of a thousand pixels;
   * `"compact"` are for chips of up to some 256 pixels: `objectSizes` of 32 to 256, `fpnWidth` 64 and `headDepth` 2. @defaultValue "full"
   */
  readonly preset?: "full" | "compact";
  /** Channels of the mask head. @defaultValue 256, compact 64 */
  readonly maskHeadWidth?: number;
  /** Convolutions of the mask head in front of its enlargement. @defaultValue 4, compact 2 */
  readonly maskHeadDepth?: number;
  /** Objects of an image the mask head learns from in a step, at most. @defaultValue 128, compact 16 */
  readonly rois?: number;
  /** Objects found on an image unless `decode` is told another number. @defaultValue 100, compact 50 */
  readonly detections?: number;
}

/** A complete, checked {@link CenterMaskConfig}. */
export interface ResolvedCenterMaskConfig extends ResolvedFCOSConfig {
  readonly maskHeadWidth: number;
  readonly maskHeadDepth: number;
  readonly rois: number;
  readonly detections: number;
}

const PRESETS = {
  full: { ...USUAL_FCOS, maskHeadWidth: 256, maskHeadDepth: 4, rois: 128, detections: 100 },
  compact: {
    ...{ objectSizes: [32, 64, 128, 256], fpnWidth: 64, headDepth: 2 },
    ...{ maskHeadWidth: 64, maskHeadDepth: 2, rois: 16, detections: 50 },
  },
} as const;

/**
 * Fills in the defaults and checks every field.
 *
 * @throws INVALID_ARGUMENT that names the field, what was given and what is expected
 */
export function resolveCenterMaskConfig(config: CenterMaskConfig): ResolvedCenterMaskConfig {
  const fields = fieldsOf("CenterMask");
  const usual = PRESETS[fields.oneOf("preset", config.preset ?? "full", ["full", "compact"])];
  const { whole } = fields;
  return {
    ...resolvePoints(config, fields, usual),
    maskHeadWidth: whole("maskHeadWidth", config.maskHeadWidth ?? usual.maskHeadWidth, 1, 4096),
    maskHeadDepth: whole("maskHeadDepth", config.maskHeadDepth ?? usual.maskHeadDepth, 0, 16),
    rois: whole("rois", config.rois ?? usual.rois, 1, 65536),
    detections: whole("detections", config.detections ?? usual.detections, 1, 4096),
  };
}
