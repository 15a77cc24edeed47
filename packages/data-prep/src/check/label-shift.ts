/**
 * How far labels lie beside what they label: the edges of the labels are moved over the edges of the image, and the move that
 * fits best is the estimate (normalized cross-correlation, refined to parts of a pixel by a parabola).
 */

/** An estimated shift. */
export interface ShiftEstimate {
  /** Pixels the labels should be moved right and down to fit the image. */
  readonly dx: number;
  readonly dy: number;
  /** Correlation of label edges and image edges at the best move, -1 to 1. */
  readonly correlation: number;
  /** The same without any move. */
  readonly correlationAsIs: number;
  /**
   * How far the best move stands out from all others, in their standard deviations: below about 3 the estimate means nothing.
   */
  readonly confidence: number;
  /** The best move is the largest one looked at: the true one may be larger, or there is none. */
  readonly atLimit: boolean;
}

/** Sums over many windows, from which a shift is estimated. */
export class ShiftEstimator {
  readonly reach: number;
  readonly #side: number;
  readonly #sums: Float64Array;
  #edges = 0;
  #pixels = 0;
  #total = 0;
  #squares = 0;

  /** @param reach largest move looked at, pixels to each side */
  constructor(reach = 10) {
    this.reach = reach;
    this.#side = 2 * reach + 1;
    this.#sums = new Float64Array(this.#side * this.#side);
  }

  /**
   * Adds a window.
   *
   * @param image one band of samples, row by row
   * @param labels class values; a pixel whose right or lower neighbour differs is an edge
   * @param usable 1 where both image and labels are known
   */
  add(image: ArrayLike<number>, labels: ArrayLike<number>, usable: Uint8Array | null, width: number, height: number): void {
    const { reach } = this;
    const side = this.#side;
    const gradient = gradientOf(image, usable, width, height);
    for (let y = reach; y < height - reach; y++) {
      for (let x = reach; x < width - reach; x++) {
        const at = y * width + x;
        const value = gradient[at]!;
        this.#pixels++;
        this.#total += value;
        this.#squares += value * value;
        if (usable !== null && (usable[at] === 0 || usable[at - 1] === 0 || usable[at - width] === 0)) continue;
        const edge = labels[at] !== labels[at - 1] || labels[at] !== labels[at - width];
        if (!edge) continue;
        this.#edges++;
        for (let dy = -reach; dy <= reach; dy++) {
          const row = at + dy * width;
          const base = (dy + reach) * side + reach;
          for (let dx = -reach; dx <= reach; dx++) this.#sums[base + dx]! += gradient[row + dx]!;
        }
      }
    }
  }

  /** The estimate, or null when there are too few label edges or the image is flat. */
  estimate(): ShiftEstimate | null {
    if (this.#edges < 50 || this.#pixels === 0) return null;
    const mean = this.#total / this.#pixels;
    const variance = this.#squares / this.#pixels - mean * mean;
    if (!(variance > 0)) return null;
    const share = this.#edges / this.#pixels;
    const scale = (Math.sqrt(variance) * Math.sqrt(Math.max(1e-12, 1 - share))) / Math.sqrt(Math.max(share, 1e-12));
    const correlation = Float64Array.from(this.#sums, (sum) => (sum / this.#edges - mean) / scale);
    let best = 0;
    for (let i = 1; i < correlation.length; i++) if (correlation[i]! > correlation[best]!) best = i;
    const side = this.#side;
    const { reach } = this;
    const col = best % side;
    const row = Math.floor(best / side);
    return {
      dx: col - reach + peak(correlation, best, 1, col > 0 && col < side - 1),
      dy: row - reach + peak(correlation, best, side, row > 0 && row < side - 1),
      correlation: correlation[best]!,
      correlationAsIs: correlation[reach * side + reach]!,
      confidence: standOut(correlation, best, side),
      atLimit: col === 0 || row === 0 || col === side - 1 || row === side - 1,
    };
  }
}

/** Vertex of the parabola through three neighbours, -0.5 to 0.5. */
function peak(values: Float64Array, at: number, step: number, inside: boolean): number {
  if (!inside) return 0;
  const [before, top, after] = [values[at - step]!, values[at]!, values[at + step]!];
  const curvature = before - 2 * top + after;
  return curvature < 0 ? Math.max(-0.5, Math.min(0.5, (before - after) / (2 * curvature))) : 0;
}

/** Distance of the best value from the mean of those at least three pixels away, in their standard deviations. */
function standOut(values: Float64Array, best: number, side: number): number {
  let count = 0;
  let sum = 0;
  let squares = 0;
  for (let i = 0; i < values.length; i++) {
    const far = Math.max(Math.abs((i % side) - (best % side)), Math.abs(Math.floor(i / side) - Math.floor(best / side))) >= 3;
    if (!far) continue;
    count++;
    sum += values[i]!;
    squares += values[i]! ** 2;
  }
  if (count < 2) return 0;
  const mean = sum / count;
  const deviation = Math.sqrt(Math.max(0, squares / count - mean * mean));
  return deviation > 0 ? (values[best]! - mean) / deviation : 0;
}

/** Size of the step between a pixel and its left and upper neighbours: the same place as a label edge; 0 where one is missing. */
function gradientOf(image: ArrayLike<number>, usable: Uint8Array | null, width: number, height: number): Float64Array {
  const out = new Float64Array(width * height);
  for (let y = 1; y < height; y++) {
    for (let x = 1; x < width; x++) {
      const at = y * width + x;
      if (usable !== null && (usable[at] === 0 || usable[at - 1] === 0 || usable[at - width] === 0)) continue;
      const step = Math.hypot(image[at]! - image[at - 1]!, image[at]! - image[at - width]!);
      if (Number.isFinite(step)) out[at] = step;
    }
  }
  return out;
}
