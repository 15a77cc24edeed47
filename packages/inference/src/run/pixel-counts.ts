/** How often each value occurs in a class raster. */

import { GeoLearnError, type Samples } from "@geolearn/core";

/** Counts the values of class rasters. */
export class PixelCounts {
  readonly #counts = new Map<number, number>();

  add(values: Samples): void {
    const small =
      values instanceof Uint8Array || values instanceof Uint16Array ? new Float64Array(2 ** (8 * values.BYTES_PER_ELEMENT)) : null;
    if (small !== null) {
      for (let i = 0; i < values.length; i++) small[values[i]!]! += 1;
      for (let value = 0; value < small.length; value++) if (small[value]! > 0) this.#add(value, small[value]!);
    } else for (const value of values) this.#add(value, 1);
  }

  #add(value: number, count: number): void {
    this.#counts.set(value, (this.#counts.get(value) ?? 0) + count);
  }

  /** @throws ALL_NODATA when nothing but `nodata` was counted */
  refuseNothing(nodata: number, scene: string): void {
    if ([...this.#counts.keys()].some((value) => value !== nodata)) return;
    throw new GeoLearnError("ALL_NODATA", `Nothing of ${scene} is left to classify: every pixel is nodata or outside the mask.`, {
      hint: "Check the nodata value of the raster, the mask and the extent.",
    });
  }

  /** Pixels of each value but this one. */
  without(value: number): ReadonlyMap<number, number> {
    return new Map([...this.#counts].filter(([each]) => each !== value).sort(([a], [b]) => a - b));
  }
}
