/**
 * The two orders of a convolution kernel: `[out, in, height, width]` in weight files (PyTorch) and
 * `[height, width, in, out]` in TensorFlow.js; and of the matrix of a linear layer, `[out, in]` and `[in, out]`. A copy each way, exact.
 */

/** Shape of a kernel in TensorFlow.js from its shape in weight files. */
export function hwioShape(oihw: readonly number[]): [number, number, number, number] {
  const [o, i, h, w] = oihw as readonly [number, number, number, number];
  return [h, w, i, o];
}

/** `[out, in, height, width]` to `[height, width, in, out]`; `shape` is the former. */
export function oihwToHwio(values: Float32Array, shape: readonly number[]): Float32Array {
  const [outputs, inputs, height, width] = shape as readonly [number, number, number, number];
  const result = new Float32Array(values.length);
  const taps = height * width;
  let from = 0;
  for (let o = 0; o < outputs; o++) {
    for (let i = 0; i < inputs; i++) {
      for (let tap = 0; tap < taps; tap++) result[(tap * inputs + i) * outputs + o] = values[from++]!;
    }
  }
  return result;
}

/** `[height, width, in, out]` to `[out, in, height, width]`; `shape` is the latter. */
export function hwioToOihw(values: Float32Array, shape: readonly number[]): Float32Array {
  const [outputs, inputs, height, width] = shape as readonly [number, number, number, number];
  const result = new Float32Array(values.length);
  const taps = height * width;
  let to = 0;
  for (let o = 0; o < outputs; o++) {
    for (let i = 0; i < inputs; i++) {
      for (let tap = 0; tap < taps; tap++) result[to++] = values[(tap * inputs + i) * outputs + o]!;
    }
  }
  return result;
}

/** `[rows, columns]` to `[columns, rows]`; `shape` is the former. */
export function transposed(values: Float32Array, shape: readonly number[]): Float32Array {
  const [rows, columns] = shape as readonly [number, number];
  const result = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) result[column * rows + row] = values[row * columns + column]!;
  }
  return result;
}
