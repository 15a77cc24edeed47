/** What a change detector is made from, as a user writes it and as a model package keeps it. */

import { fieldsOf } from "../network/config-fields.ts";
import { type ResolvedUNetConfig, resolveUNetConfig, type UNetConfig } from "../unet/config.ts";

/** What `createChangeDetector` takes. */
export interface ChangeDetectorConfig extends Omit<UNetConfig, "skips"> {
  /** Bands of both dates together: those of the earlier one, then as many of the later one. */
  readonly bands: number;
  /** Kinds of change to tell apart, "no change" included. */
  readonly classes: number;
  /** What the decoder sees of the two dates at each level: how far they differ, or both side by side. @defaultValue "difference" */
  readonly fusion?: "difference" | "concat";
}

/** A complete, checked {@link ChangeDetectorConfig}: plain JSON, kept in model packages. */
export interface ResolvedChangeDetectorConfig extends ResolvedUNetConfig {
  readonly fusion: "difference" | "concat";
}

const fields = fieldsOf("ChangeDetector");

/**
 * Fills in the defaults and checks every field.
 *
 * @throws INVALID_ARGUMENT that names the field, what was given and what is expected
 */
export function resolveChangeDetectorConfig({ fusion = "difference", ...config }: ChangeDetectorConfig): ResolvedChangeDetectorConfig {
  const resolved = resolveUNetConfig({ ...config, skips: "concat" }, fields);
  if (resolved.bands % 2 !== 0)
    throw fields.wrong("bands", config.bands, "an even number: the bands of the earlier date, then those of the later one");
  return { ...resolved, fusion: fields.oneOf("fusion", fusion, ["difference", "concat"]) };
}
