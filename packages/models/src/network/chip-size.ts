/** Which chip sizes a network takes. */

import { GeoLearnError } from "@geolearn/core";

/** What decides about chip sizes. */
export interface ChipSizeRule {
  readonly modelType: string;
  /** Sides must be multiples of this. */
  readonly stride: number;
  /** Pixels cut from each border of the output. @defaultValue 0 */
  readonly margin?: number;
}

/**
 * Checks the sides of a chip: multiples of the network's stride, and larger than what its margin cuts away.
 *
 * @param options `canBeCut`: the chips come from `prepareData`, whose `chipSize` cuts them smaller
 * @throws CHIP_SIZE_NOT_DIVISIBLE whose hint and `data` name the next good size
 */
export function checkChipSize(
  { modelType, stride, margin = 0 }: ChipSizeRule,
  width: number,
  height: number,
  { canBeCut = false }: { readonly canBeCut?: boolean } = {},
): void {
  const smallest = Math.max(stride, Math.ceil((2 * margin + 1) / stride) * stride);
  const next = (side: number): number => Math.max(smallest, Math.ceil(side / stride) * stride);
  if (next(width) === width && next(height) === height) return;
  const inside = margin > 0 ? ` and larger than twice the margin of ${margin}` : "";
  const side = Math.floor(Math.min(width, height) / stride) * stride;
  const cut = canBeCut && side >= smallest ? `, or cut these smaller when training: \`chipSize: ${side}\`` : "";
  throw new GeoLearnError(
    "CHIP_SIZE_NOT_DIVISIBLE",
    `The ${modelType} network got chips of ${width} x ${height} pixels; sides must be multiples of ${stride}${inside}.`,
    {
      hint: `Use chips of ${next(width)} x ${next(height)} pixels${cut}.`,
      data: { width, height, stride, nextWidth: next(width), nextHeight: next(height) },
    },
  );
}
