/**
 * The filter gradient in ONNX Runtime's blocked layout: a correlation of the padded input with dy, strip of rows by strip, so that both stay in
 * the processor's cache. Within a strip the rows of all channels are interleaved (row 0 of every channel, then row 1...). A filter of R rows with
 * a dilation of as many rows as there are channels then meets one channel at a time, and its first `kernel height * channels`
 * positions are exactly the gradients wanted: nothing is copied kernel-height times and nothing computed in vain.
 */

import type { Value } from "../graph/value.ts";
import { filterFromBlocks } from "./filters.ts";
import type { Lowering } from "./lowering.ts";

/** Images of one strip: they are the input channels, which must be fewer than a block. */
const MOST_IMAGES = 8;
/** Rows times images of a strip that fit the second cache with 256 columns of 16 channels. */
const ROWS_AND_IMAGES = 32;
const MOST_STRIPS = 32;

/** What is correlated: an image with its border, against another without. */
export interface Correlation {
  /** Name of `[N, A, rows + kernel height - 1, columns + kernel width - 1]` in memory. */
  readonly image: string;
  readonly imageChannels: number;
  /** A value of `[N, rows, columns, B]`; B is a multiple of the block. */
  readonly filter: Value;
  /** `[height, width]` */
  readonly kernel: readonly [number, number];
}

/** Products summed over images, rows and columns for each offset: the name of `[kernel height, kernel width, A, B]`. */
export function correlate(graph: Lowering, { image, imageChannels, filter, kernel }: Correlation): string {
  const [n, rows, columns, channels] = filter.shape as readonly [number, number, number, number];
  const [kh, kw] = kernel;
  const { block } = graph;
  const height = rows + kh - 1;
  const source = graph.channelsFirst(filter);
  const blocked = graph.shared(`blocked ${source}`, () => graph.blocked("ReorderInput", [source], { channels_last: 0 }));
  const filterRows = graph.reshape(blocked, [(n * channels * rows) / block, columns * block]);
  const imageRows = graph.reshape(image, [n * imageChannels * height, columns + kw - 1]);
  const images = Math.min(n, MOST_IMAGES, block - 1);
  const strip = Math.max(Math.round(ROWS_AND_IMAGES / images), Math.ceil(rows / MOST_STRIPS));
  const sums: string[] = [];
  for (let first = 0; first < n; first += images) {
    const count = Math.min(images, n - first);
    for (let top = 0; top < rows; top += strip) {
      const r = Math.min(strip, rows - top);
      const imageIndex = table([count, r + kh - 1, imageChannels], (i, row, c) => ((first + i) * imageChannels + c) * height + top + row);
      const filterIndex = table([channels / block, count, r], (b, i, row) => ((first + i) * (channels / block) + b) * rows + top + row);
      const part = graph.op("Gather", [imageRows, indexConstant(graph, imageIndex)], { axis: 0 });
      const weights = graph.op("Gather", [filterRows, indexConstant(graph, filterIndex)], { axis: 0 });
      const inputs = [
        graph.reshape(part, [1, count, (r + kh - 1) * imageChannels, columns + kw - 1]),
        graph.reshape(weights, [channels, count, r, columns]),
      ];
      const settings = { kernel_shape: [r, columns], strides: [1, 1], dilations: [imageChannels, 1], pads: [0, 0, 0, 0], group: 1 };
      sums.push(graph.blocked("Conv", inputs, settings));
    }
  }
  const total = sums.length === 1 ? sums[0]! : graph.op("Sum", sums);
  return filterFromBlocks(graph, total, [kh, kw, imageChannels, channels]);
}

/** Row numbers by three running indices, the last one fastest. */
function table([a, b, c]: readonly [number, number, number], row: (i: number, j: number, k: number) => number): Int32Array {
  const out = new Int32Array(a * b * c);
  let at = 0;
  for (let i = 0; i < a; i++) for (let j = 0; j < b; j++) for (let k = 0; k < c; k++) out[at++] = row(i, j, k);
  return out;
}

const indexConstant = (graph: Lowering, rows: Int32Array): string => graph.constant("int32", [rows.length], new Uint8Array(rows.buffer));
