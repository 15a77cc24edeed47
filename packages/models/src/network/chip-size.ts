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

/** The sides a network takes that are next to one: the greatest that is no greater, null where there is none, and the smallest that is greater. */
export function nearestSides({ stride, margin = 0 }: ChipSizeRule, side: number): readonly [below: number | null, above: number] {
  const smallest = Math.max(stride, Math.ceil((2 * margin + 1) / stride) * stride);
  const below = Math.floor(side / stride) * stride;
  return below < smallest ? [null, smallest] : [below, below + stride];
}

/**
 * Checks the sides of a chip: multiples of the network's stride, and larger than what its margin cuts away.
 *
 * @param options `canBeCut`: the chips come from `prepareData`, whose `chipSize` cuts them smaller
 * @throws CHIP_SIZE_NOT_DIVISIBLE whose hint and `data` name the next good size
 */
export function checkChipSize(
  rule: ChipSizeRule,
  width: number,
  height: number,
  { canBeCut = false }: { readonly canBeCut?: boolean } = {},
): void {
  const { modelType, stride, margin = 0 } = rule;
  const next = (side: number): number => {
    const [below, above] = nearestSides(rule, side);
    return below === side ? side : above;
  };
  if (next(width) === width && next(height) === height) return;
  const inside = margin > 0 ? ` and larger than twice the margin of ${margin}` : "";
  const [side] = nearestSides(rule, Math.min(width, height));
  const cut = canBeCut && side !== null ? `, or cut these smaller when training: \`chipSize: ${side}\`` : "";
  throw new GeoLearnError(
    "CHIP_SIZE_NOT_DIVISIBLE",
    `The ${modelType} network got chips of ${width} x ${height} pixels; sides must be multiples of ${stride}${inside}.`,
    {
      hint: `Use chips of ${next(width)} x ${next(height)} pixels${cut}.`,
      data: { width, height, stride, nextWidth: next(width), nextHeight: next(height) },
    },
  );
}
