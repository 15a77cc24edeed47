/** What a network is made of, before there is any tensor: names, shapes, roles. Pure data, so a weight file can be judged without an engine. */

/** What a parameter does, which decides its initial value and whether it is trained. */
export type ParameterRole = "kernel" | "matrix" | "bias" | "scale" | "shift" | "runningMean" | "runningVariance";

/** First values a layer asks for, whatever the network's initializer. */
export type FirstValues =
  | { readonly kind: "constant"; readonly value: number }
  /** Within `bound` of 0. */
  | { readonly kind: "uniform"; readonly bound: number }
  /** Around 0. */
  | { readonly kind: "normal"; readonly deviation: number };

/** One parameter of a network. */
export interface ParameterSpec {
  /** Stable dotted name, e.g. `"down.0.conv1.weight"`. */
  readonly name: string;
  /** Shape in weight files: kernels are `[out, in, height, width]` and matrices `[out, in]`, the order of PyTorch. */
  readonly shape: readonly number[];
  readonly role: ParameterRole;
  /** Inputs that meet in one output (of the layer a bias belongs to); 1 for norms. */
  readonly fanIn: number;
  /** True for the encoder. */
  readonly backbone: boolean;
  /** @defaultValue what the initializer of the network gives */
  readonly first?: FirstValues | undefined;
}

/** True for what the optimizer changes, false for running statistics. */
export function isTrainable(role: ParameterRole): boolean {
  return role !== "runningMean" && role !== "runningVariance";
}

/** Number of values of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, side) => product * side, 1);
}
