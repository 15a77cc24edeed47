/** How much each pixel of a window counts where windows overlap. */

/** How overlapping windows become one result. */
export type Blend = "hann" | "crop" | "none";

/**
 * Keeps the weights of a Hann window above zero, so that every pixel, those at the border of the scene included, has a
 * positive sum of weights.
 */
const FLOOR = 1e-3;

/** `sin^2` over a window without its two zero ends: numpy's `hanning(n + 2)[1:-1]`. */
export function hannEdge(length: number): Float64Array {
  return Float64Array.from({ length }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * (i + 1)) / (length + 1)));
}

/** Weights of a window, `[height, width]`: the product of two Hann windows plus a small floor. */
export function hannWeights(width: number, height: number): Float32Array {
  const across = Float32Array.from(hannEdge(width));
  const down = Float32Array.from(hannEdge(height));
  const weights = new Float32Array(width * height);
  for (let row = 0; row < height; row++) {
    for (let col = 0; col < width; col++) weights[row * width + col] = Math.fround(down[row]! * across[col]!) + FLOOR;
  }
  return weights;
}

/** Sums of weights along one side of a scene: the sum at a pixel is `down.edge * across.edge + FLOOR * down.count * across.count`. */
export interface WeightSums {
  readonly edge: Float64Array;
  readonly count: Float64Array;
}

/** Adds up the Hann windows at `origins` along a side of `length` pixels. */
export function hannSums(length: number, window: number, origins: readonly number[]): WeightSums {
  const shape = Float32Array.from(hannEdge(window));
  const edge = new Float64Array(length);
  const count = new Float64Array(length);
  for (const origin of origins) {
    for (let i = 0; i < window && origin + i < length; i++) {
      edge[origin + i]! += shape[i]!;
      count[origin + i]! += 1;
    }
  }
  return { edge, count };
}

/** The sum of all weights at a pixel, from the sums along both sides. */
export function hannSum(down: WeightSums, row: number, across: WeightSums, col: number): number {
  return down.edge[row]! * across.edge[col]! + FLOOR * down.count[row]! * across.count[col]!;
}

/**
 * For windows at `origins`: the part of each that is nearer to its own centre than to any other's, `[from, to)` within the
 * window. The parts cover the side once.
 */
export function cropParts(length: number, window: number, origins: readonly number[]): readonly (readonly [from: number, to: number])[] {
  const border = (i: number): number => Math.floor((origins[i]! + window + origins[i + 1]!) / 2);
  return origins.map((origin, i) => {
    const from = i === 0 ? 0 : border(i - 1);
    const to = i === origins.length - 1 ? Math.min(length, origin + window) : Math.min(length, border(i));
    return [from - origin, Math.max(from, to) - origin] as const;
  });
}
