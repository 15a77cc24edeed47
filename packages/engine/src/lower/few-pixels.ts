/**
 * Convolutions with fewer pixels than channels, as products of matrices. There the filter is the largest thing that is read, and putting it into
 * another order takes longer than the arithmetic; a product reads it, and writes its gradient, in the order in which it lies.
 */

import type { Value } from "../graph/value.ts";
import type { Lowering } from "./lowering.ts";

/** Where the windows of a convolution lie. */
export interface Windows {
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
  /** Top, left, bottom, right. */
  readonly pads: readonly [number, number, number, number];
}

type Sides = readonly [number, number, number, number];

/**
 * Pixels of the output for each channel, of the side with fewer, up to which a step with both gradients is faster: measured on two cores with 3 x 3 filters, it takes
 * half the time with a sixteenth of a pixel, two thirds with a half, nine tenths with one and more with two.
 */
const PIXELS_PER_CHANNEL = 1;

/** Whether a convolution from `input` to `output`, `[N, H, W, C]` each, is better a product. */
export function paysAsProduct(graph: Lowering, filter: Value | null, input: readonly number[], output: readonly number[]): boolean {
  if (graph.portable || !graph.fused || (filter !== null && graph.isConstant(filter))) return false;
  const [n, h, w, channels] = output as Sides;
  return n * h * w <= PIXELS_PER_CHANNEL * Math.min(channels, input[3]!);
}

/** The convolution of x: the name of `[N, HO, WO, out]`. */
export function productForward(graph: Lowering, x: Value, filter: Value, output: readonly number[], windows: Windows): string {
  const [kh, kw, channels, outputs] = filter.shape as Sides;
  const columns = windowsOf(graph, x, output, [kh, kw], windows);
  const matrix = graph.reshape(graph.natural(filter), [kh * kw * channels, outputs]);
  return graph.reshape(graph.product(columns, matrix), output);
}

/** The gradient of the filter, `[height, width, in, out]`. */
export function productFilterGradient(graph: Lowering, x: Value, dy: Value, filter: readonly number[], windows: Windows): string {
  const [kh, kw] = filter as Sides;
  const columns = windowsOf(graph, x, dy.shape, [kh, kw], windows);
  return graph.reshape(graph.product(columns, rowsOf(graph, dy), { transA: 2 }), filter);
}

/** The gradient of the input, `[N, H, W, in]`: what every window gives each of its pixels, summed by pixel. */
export function productInputGradient(graph: Lowering, dy: Value, filter: Value, input: readonly number[], windows: Windows): string {
  const [kh, kw, channels, outputs] = filter.shape as Sides;
  const [n, h, w] = input as Sides;
  const positions = kh * kw;
  const matrix = graph.reshape(graph.natural(filter), [positions * channels, outputs]);
  const given = graph.product(withZeroRow(graph, rowsOf(graph, dy), outputs), matrix, { transB: 2 });
  const [count, ho, wo] = dy.shape as Sides;
  const none = count * ho * wo * positions;
  const sources = new Int32Array(n * h * w * positions).fill(none);
  eachTouch(input, dy.shape, [kh, kw], windows, (pixel, window, position) => {
    sources[pixel * positions + position] = window * positions + position;
  });
  const rows = graph.reshape(given, [none + positions, channels]);
  const parts = graph.op("Gather", [rows, indices(graph, sources, [n * h * w, positions])], { axis: 0 });
  const sum = positions === 1 ? parts : graph.op("ReduceSum", [parts, graph.ints([1])], { keepdims: 0 });
  return graph.reshape(sum, input);
}

/** What every window sees, a row each: `[N * HO * WO, height * width * C]`. */
function windowsOf(graph: Lowering, x: Value, output: readonly number[], kernel: readonly [number, number], windows: Windows): string {
  const [n, h, w, channels] = x.shape as Sides;
  const [, ho, wo] = output as Sides;
  const positions = kernel[0] * kernel[1];
  const count = n * ho * wo;
  const name = rowsOf(graph, x);
  return graph.shared(`windows ${name} ${[...output.slice(0, 3), ...kernel, ...Object.values(windows).flat()].join()}`, () => {
    const sources = new Int32Array(count * positions).fill(n * h * w);
    eachTouch(x.shape, output, kernel, windows, (pixel, window, position) => {
      sources[window * positions + position] = pixel;
    });
    if (positions === 1 && count === n * h * w) return name;
    const picked = graph.op("Gather", [withZeroRow(graph, name, channels), indices(graph, sources, [count, positions])], { axis: 0 });
    return graph.reshape(picked, [count, positions * channels]);
  });
}

/** Calls back for every pixel of the input that a window covers at a position of the kernel. */
function eachTouch(
  input: readonly number[],
  output: readonly number[],
  [kh, kw]: readonly [number, number],
  { strides, dilations, pads }: Windows,
  touch: (pixel: number, window: number, position: number) => void,
): void {
  const [n, h, w] = input as Sides;
  const [, ho, wo] = output as Sides;
  for (let window = 0; window < n * ho * wo; window++) {
    const image = Math.floor(window / (ho * wo));
    const top = (Math.floor(window / wo) % ho) * strides[0] - pads[0];
    const left = (window % wo) * strides[1] - pads[1];
    for (let position = 0; position < kh * kw; position++) {
      const row = top + Math.floor(position / kw) * dilations[0];
      const column = left + (position % kw) * dilations[1];
      if (row >= 0 && row < h && column >= 0 && column < w) touch((image * h + row) * w + column, window, position);
    }
  }
}

/** Pixels as rows, `[N * H * W, C]`. */
function rowsOf(graph: Lowering, value: Value): string {
  const [n, h, w, channels] = value.shape as Sides;
  const name = graph.natural(value);
  return graph.shared(`rows ${name}`, () => graph.reshape(name, [n * h * w, channels]));
}

/** One more row, of zeros. */
function withZeroRow(graph: Lowering, rows: string, channels: number): string {
  return graph.shared(`rows and zeros ${rows}`, () => graph.op("Concat", [rows, graph.constant("float32", [1, channels], new Uint8Array(4 * channels))], { axis: 0 })); // prettier-ignore
}

function indices(graph: Lowering, table: Int32Array, shape: readonly number[]): string {
  return graph.constant("int32", shape, new Uint8Array(table.buffer));
}
