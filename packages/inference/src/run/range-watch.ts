/** Does the scene look like the training data? */

import type { BandStatistics, OnWarning } from "@geolearn/core";

/** A mean this many training deviations away from the training mean is reported. */
const FAR = 3;
/** A larger share of pixels outside the training range is reported. */
const SHARE = 0.01;
/** Every n-th pixel is looked at. */
const STEP = 7;

/** Flag of a pixel whose value lies outside the smallest and largest of training. */
export const OUTSIDE_RANGE = 1;
/** Flag of a window whose mean lies far from training's. */
export const FAR_FROM_MEAN = 2;

/** Compares pixels with the statistics of training; order and number of workers do not change what it finds. */
export class RangeWatch {
  readonly #statistics: readonly BandStatistics[];
  readonly #names: readonly string[];
  readonly #count: Float64Array;
  readonly #sum: Float64Array;
  readonly #outside: Float64Array;

  constructor(statistics: readonly BandStatistics[], names: readonly string[]) {
    this.#statistics = statistics;
    this.#names = names;
    this.#count = new Float64Array(statistics.length);
    this.#sum = new Float64Array(statistics.length);
    this.#outside = new Float64Array(statistics.length);
  }

  /** Looks at one window, `[pixels, bands]`. @returns {@link FAR_FROM_MEAN} when its mean lies far from training's in some band, else 0 */
  look(pixels: Float32Array, mask: Uint8Array, from: number, count: number): number {
    const bands = this.#statistics.length;
    let flag = 0;
    for (let band = 0; band < bands; band++) {
      const { min, max, mean, std } = this.#statistics[band]!;
      let seen = 0;
      let sum = 0;
      let outside = 0;
      for (let i = from; i < from + count; i += STEP) {
        if (mask[i] === 0) continue;
        const value = pixels[i * bands + band]!;
        seen++;
        sum += value;
        if (value < min || value > max) outside++;
      }
      this.#count[band]! += seen;
      this.#sum[band]! += sum;
      this.#outside[band]! += outside;
      if (seen > 0 && isFar(sum / seen, mean, std)) flag = FAR_FROM_MEAN;
    }
    return flag;
  }

  /** {@link OUTSIDE_RANGE} when a band of this pixel lies outside the training range, else 0. */
  pixelFlag(pixels: Float32Array, pixel: number): number {
    const bands = this.#statistics.length;
    for (let band = 0; band < bands; band++) {
      const value = pixels[pixel * bands + band]!;
      const { min, max } = this.#statistics[band]!;
      if (value < min || value > max) return OUTSIDE_RANGE;
    }
    return 0;
  }

  /** Warns of each way the scene differs, naming the bands. */
  report(onWarning: OnWarning | undefined): void {
    const far: string[] = [];
    const outside: string[] = [];
    for (const [band, { mean, std }] of this.#statistics.entries()) {
      const count = this.#count[band]!;
      if (count === 0) continue;
      const name = this.#names[band] ?? `band ${band + 1}`;
      const average = this.#sum[band]! / count;
      if (isFar(average, mean, std)) far.push(`${name} (mean ${figure(average)}, training ${figure(mean)} ± ${figure(std)})`);
      const share = this.#outside[band]! / count;
      if (share > SHARE) outside.push(`${name} (${(100 * share).toFixed(1)} %)`);
    }
    const hint =
      "Check units, scaling and the order of the bands, or train with images like this one; `outOfRange: true` writes where it happens.";
    if (far.length > 0) {
      onWarning?.({ code: "STATISTICS_DIFFER", message: `The scene does not look like the training data: ${far.join(", ")}.`, hint });
    }
    if (outside.length > 0) {
      onWarning?.({
        code: "OUT_OF_RANGE",
        message: `Values lie outside the range seen in training: ${outside.join(", ")} of the pixels.`,
        hint,
      });
    }
  }
}

function isFar(mean: number, trainingMean: number, std: number): boolean {
  return Math.abs(mean - trainingMean) > FAR * Math.max(std, 1e-6 * Math.abs(trainingMean));
}

function figure(value: number): string {
  return Number(value.toPrecision(4)).toString();
}
