/** Chips around features: where each is cut. */

import { GeoLearnError } from "@geolearn/core";

import { boxAround, clipBox } from "../objects/box.ts";
import { pixelRings } from "../objects/clip-polygon.ts";
import type { ChipWindow } from "./cut-chip.ts";
import type { InputPart } from "./inputs.ts";
import type { LabelFeature } from "./label-layer.ts";
import type { ResolvedExport } from "./options.ts";

/** A feature and the window around it, in pixels of the raster. */
export interface FeatureWindow extends ChipWindow {
  readonly feature: LabelFeature;
}

/** Edges this close to a pixel border lie on it: positions are divided by the pixel size and lose their last digits. */
const NEAR = 1e-6;

/** Longest side of a chip, pixels. */
const LONGEST = 8192;

/**
 * A window per feature that meets the raster, in the order of the features: of the chips' size with the middle of the feature's box in
 * its middle, moved inside the raster where that is large enough; or the box itself, cut at the raster's border.
 *
 * @throws LIMIT_EXCEEDED for a feature larger than a chip can be
 */
export function featureWindows({ raster, labels }: InputPart, { cropMode, chipWidth, chipHeight }: ResolvedExport): FeatureWindow[] {
  const windows: FeatureWindow[] = [];
  for (const feature of labels.features!) {
    const around = boxAround(pixelRings(feature.geometry, raster.transform!));
    const inside = around === null ? null : clipBox(around, raster.width, raster.height);
    if (around === null || inside === null) continue;
    if (cropMode === "fixedSize") {
      const col = centred((around[0] + around[2]) / 2, chipWidth, raster.width);
      const row = centred((around[1] + around[3]) / 2, chipHeight, raster.height);
      windows.push({ feature, col, row, width: chipWidth, height: chipHeight });
      continue;
    }
    const [col, row] = [Math.floor(inside[0] + NEAR), Math.floor(inside[1] + NEAR)];
    const [width, height] = [Math.ceil(inside[2] - NEAR) - col, Math.ceil(inside[3] - NEAR) - row];
    if (width > LONGEST || height > LONGEST) {
      throw new GeoLearnError("LIMIT_EXCEEDED", `A feature is ${width} x ${height} pixels large; a chip may have ${LONGEST} a side.`, {
        hint: 'Use `cropMode: "fixedSize"`, or a larger `cellSize`.',
        data: { width, height },
      });
    }
    windows.push({ feature, col, row, width, height });
  }
  return windows;
}

function centred(middle: number, chip: number, length: number): number {
  return Math.max(0, Math.min(Math.round(middle - chip / 2), length - chip));
}
