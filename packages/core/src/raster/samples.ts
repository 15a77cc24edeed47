/** Sample types: their arrays, sizes and ranges. */

import type { Samples, SampleType } from "./raster.ts";

const ARRAYS = {
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  float32: Float32Array,
  float64: Float64Array,
} as const;

const RANGES: Readonly<Record<SampleType, readonly [min: number, max: number]>> = {
  uint8: [0, 255],
  int8: [-128, 127],
  uint16: [0, 65535],
  int16: [-32768, 32767],
  uint32: [0, 4294967295],
  int32: [-2147483648, 2147483647],
  float32: [-Infinity, Infinity],
  float64: [-Infinity, Infinity],
};

/** A zeroed array of the type. */
export function createSamples(type: SampleType, length: number): Samples {
  return new ARRAYS[type](length);
}

/** A view of bytes as samples of the type; copies when the bytes are not aligned for it. Bytes left over are dropped. */
export function samplesFrom(type: SampleType, bytes: Uint8Array): Samples {
  const { BYTES_PER_ELEMENT: size } = ARRAYS[type];
  const aligned = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
  return new ARRAYS[type](aligned.buffer as ArrayBuffer, aligned.byteOffset, Math.floor(aligned.byteLength / size));
}

/** Whether the array holds samples of the type. */
export function holdsSamples(type: SampleType, data: Samples): boolean {
  return data instanceof ARRAYS[type];
}

/** Bytes of one sample. */
export function sampleBytes(type: SampleType): number {
  return ARRAYS[type].BYTES_PER_ELEMENT;
}

/** Smallest and largest value a sample of the type can have; infinite for floating point. */
export function sampleRange(type: SampleType): readonly [min: number, max: number] {
  return RANGES[type];
}

/** True for float32 and float64. */
export function isFloat(type: SampleType): boolean {
  return type === "float32" || type === "float64";
}

/** The value as the type holds it, or null when the type cannot hold it. */
export function representable(type: SampleType, value: number): number | null {
  if (type === "float64") return value;
  if (type === "float32") return Math.fround(value);
  const [min, max] = RANGES[type];
  return Number.isInteger(value) && value >= min && value <= max ? value : null;
}

/** The nearest value the type can hold: rounded half away from zero and clamped for integers, as GDAL does. */
export function clampTo(type: SampleType, value: number): number {
  if (isFloat(type)) return value;
  if (Number.isNaN(value)) return 0;
  const [min, max] = RANGES[type];
  const rounded = value < 0 ? Math.ceil(value - 0.5) : Math.floor(value + 0.5);
  return rounded < min ? min : rounded > max ? max : rounded;
}
