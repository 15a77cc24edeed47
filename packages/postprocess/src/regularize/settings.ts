/** How outlines are regularized, in the units of the coordinates at hand. */

import type { WallRules } from "./runs.ts";

/** Ways to regularize. */
export type RegularizeMethod = "rightAngles" | "rightAnglesAndDiagonals" | "anyAngles" | "circle";

/** The options of the work, with lengths in the units of the coordinates. */
export interface Settings {
  readonly method: RegularizeMethod;
  readonly tolerance: number;
  readonly densification: number;
  /** Walls lie on a grid of this spacing, in the building's own directions; 0 for none. */
  readonly precision: number;
  readonly diagonalPenalty: number;
  readonly minRadius: number;
  readonly maxRadius: number;
  /** Greatest difference of a circle from its outline as a share of the circle's area; null where the tolerance is a distance. */
  readonly circleAreaRatio: number | null;
  /** Least compactness of an outline that is tried as a circle first. */
  readonly circleCompactness: number;
}

/** Cost of a wall in cubed tolerances. */
const WALL_PRICE = 0.6;

/** Rules for walls; `thrift` makes walls dearer (fewer of them) or cheaper. */
export function wallRules({ method, tolerance, diagonalPenalty }: Settings, base: number, thrift = 1): WallRules {
  const price = WALL_PRICE * thrift * tolerance ** 3;
  const diagonalPrice = price * (1 + diagonalPenalty);
  const isFree = method === "anyAngles";
  const directions = method === "rightAnglesAndDiagonals" ? 8 : isFree && diagonalPenalty === 0 ? 0 : 4;
  return { directions, base, price, diagonalPrice, freePrice: isFree ? diagonalPrice : Infinity, shortest: tolerance };
}
