/** Coordinates from one reference system to another: always x, y, never NaN. */

import { GeoLearnError } from "../errors.ts";
import type { Crs } from "./crs.ts";
import { datumShift } from "./datum.ts";
import { projection } from "./projection.ts";
import { sameCrs } from "./same-crs.ts";

/** Options of {@link createTransformer}. */
export interface TransformOptions {
  /**
   * `"ballpark"` goes on where the shift between the two datums is not known well enough here: with the best formula that
   * is published, or with none. The result may be off by tens or hundreds of metres.
   *
   * @defaultValue `"known"`, which refuses with CRS_GRID_MISSING
   */
  readonly accuracy?: "known" | "ballpark";
}

/** Maps a position; throws CRS_OUT_OF_RANGE where the target has no such place. */
export type Transformer = (x: number, y: number) => [x: number, y: number];

/**
 * A function that maps x, y from one system to another. Datums are joined through WGS 84 by the published shift for the
 * place; no shift is applied between systems on the same datum. Equal systems give an identity.
 *
 * @throws CRS_GRID_MISSING here when no shift between the datums is known, and from the function where the published
 * formula is worse than 5 m and a grid file is twice as good
 * @throws CRS_OUT_OF_RANGE from the function
 * @example
 * const toUtm = createTransformer(parseCrs(4326), parseCrs(32633));
 * const [x, y] = toUtm(15, 52); // 500000, 5761038.2
 */
export function createTransformer(from: Crs, to: Crs, { accuracy = "known" }: TransformOptions = {}): Transformer {
  if (sameCrs(from, to)) return (x, y) => (Number.isFinite(x) && Number.isFinite(y) ? [x, y] : outOfRange(from, to, x, y));
  const source = projection(from);
  const target = projection(to);
  const shift = datumShift(source.datum, target.datum, accuracy === "ballpark");
  const position = { lon: 0, lat: 0 };
  const result = { x: 0, y: 0 };
  return (x, y) => {
    if (!source.toGeodetic(x, y, position)) return outOfRange(from, to, x, y);
    if (shift !== null) shift(position);
    if (!target.fromGeodetic(position, result)) return outOfRange(from, to, x, y);
    return [result.x, result.y];
  };
}

/**
 * Maps positions held as x, y, x, y, ... in place and gives the same array back.
 *
 * @throws CRS_OUT_OF_RANGE at the first position the target cannot hold; positions before it are already mapped
 */
export function transformCoordinates(coordinates: Float64Array, from: Crs, to: Crs, options: TransformOptions = {}): Float64Array {
  const transform = createTransformer(from, to, options);
  for (let i = 0; i + 1 < coordinates.length; i += 2) {
    const [x, y] = transform(coordinates[i]!, coordinates[i + 1]!);
    coordinates[i] = x;
    coordinates[i + 1] = y;
  }
  return coordinates;
}

function outOfRange(from: Crs, to: Crs, x: number, y: number): never {
  throw new GeoLearnError("CRS_OUT_OF_RANGE", `The position (${x}, ${y}) of ${from.name} has no place in ${to.name}.`, {
    hint: "Check that the data really are in the system they claim, in the order x, y, and that the target covers them.",
    data: { x, y, from: from.name, to: to.name },
  });
}
