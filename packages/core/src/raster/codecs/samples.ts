/** Typed arrays by sample type. */

import type { Samples, SampleType } from "../raster.ts";

const constructors = {
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  float32: Float32Array,
  float64: Float64Array,
} as const;

/** Smallest and largest value of each integer type. */
const ranges: Readonly<Partial<Record<SampleType, readonly [number, number]>>> = {
  uint8: [0, 255],
  int8: [-128, 127],
  uint16: [0, 65535],
  int16: [-32768, 32767],
  uint32: [0, 4294967295],
  int32: [-2147483648, 2147483647],
};

/** A zeroed array of the type. */
export function createSamples(type: SampleType, length: number): Samples {
  return new constructors[type](length);
}

/** A view of bytes as samples of the type; copies when the bytes are not aligned for it. Bytes left over are dropped. */
export function samplesFrom(type: SampleType, bytes: Uint8Array): Samples {
  const { BYTES_PER_ELEMENT: size } = constructors[type];
  const aligned = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  return new constructors[type](aligned.buffer as ArrayBuffer, aligned.byteOffset, Math.floor(aligned.byteLength / size));
}

/** Bytes of one sample. */
export function sampleBytes(type: SampleType): number {
  return constructors[type].BYTES_PER_ELEMENT;
}

/** True for float32 and float64. */
export function isFloat(type: SampleType): boolean {
  return type === "float32" || type === "float64";
}

/** The value as the type holds it, or null when the type cannot hold it. */
export function representable(type: SampleType, value: number): number | null {
  if (type === "float64") return value;
  if (type === "float32") return Math.fround(value);
  const [min, max] = ranges[type]!;
  return Number.isInteger(value) && value >= min && value <= max ? value : null;
}

/** The nearest value the type can hold: rounded half away from zero and clamped for integers, as GDAL does. */
export function clampTo(type: SampleType, value: number): number {
  const range = ranges[type];
  if (range === undefined) return value;
  if (Number.isNaN(value)) return 0;
  const rounded = value < 0 ? Math.ceil(value - 0.5) : Math.floor(value + 0.5);
  return rounded < range[0] ? range[0] : rounded > range[1] ? range[1] : rounded;
}
