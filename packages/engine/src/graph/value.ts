/** Recorded values: what a tensor of the engine's backend is until somebody reads it. */

import type { TensorData, TensorType } from "../types.ts";

/** Plain data that says exactly what an operation does; part of the key of compiled graphs. */
export type Attributes = Readonly<Record<string, number | boolean | string | readonly number[]>>;

/** Values in memory, in the form sessions take and give. */
export interface HostValues {
  readonly data: TensorData;
  /** The same memory as a tensor of ONNX Runtime, made on first use. */
  feed?: unknown;
}

/** One value of a recorded graph: an operation on other values, or a leaf with values of its own. */
export interface Value {
  readonly id: number;
  /** Operation of the lowering table; `leaf` and `input` compute nothing. */
  readonly op: string;
  inputs: readonly Value[];
  readonly attributes: Attributes;
  readonly shape: readonly number[];
  readonly dtype: TensorType;
  /** The recording it belongs to, 0 outside. */
  readonly recording: number;
  /** Values, once there are any. */
  host: HostValues | null;
}

let nextId = 1;

/** A recorded operation. */
export function operation(
  op: string,
  inputs: readonly Value[],
  attributes: Attributes,
  shape: readonly number[],
  dtype: TensorType,
  recording: number,
): Value {
  return { id: nextId++, op, inputs, attributes, shape, dtype, recording, host: null };
}

/** A value that is there already. */
export function leaf(data: TensorData, shape: readonly number[], dtype: TensorType): Value {
  return { id: nextId++, op: "leaf", inputs: [], attributes: {}, shape, dtype, recording: 0, host: { data } };
}

/** Number of elements. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, side) => product * side, 1);
}
