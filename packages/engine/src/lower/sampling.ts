/**
 * Reading images at computed places, as ONNX nodes: crops of boxes, projective transforms, rotation. Every output pixel is a weighted sum of
 * a few pixels ("corners"); the gradient adds what each corner gave back to its pixel.
 */

import type { Value } from "../graph/value.ts";
import { sizeOf } from "../graph/value.ts";
import { ELEMENT_TYPES } from "../onnx/encode.ts";
import type { Lowered, Lowering, LoweringRule } from "./lowering.ts";

/** A pixel read for every output pixel; shapes broadcast to that of the output without channels. */
interface Corner {
  /** Number of the pixel in all images, int32, always one that exists. */
  readonly index: string;
  /** Its share of the output, or null for all. */
  readonly weight: string | null;
  /** Where the pixel exists; elsewhere the fill value counts. Null: everywhere. */
  readonly inside: string | null;
}

/** How an output is read from images. */
interface Reading {
  readonly corners: readonly Corner[];
  /** Outputs that are read at all; the others are the fill value. Null: all. */
  readonly valid: string | null;
  readonly fill: number;
}

type Image = readonly [number, number, number, number];
type Read = (graph: Lowering, value: Value, image: readonly number[], others: readonly Value[], output: readonly number[]) => Reading;

const natural = (name: string): Lowered => ({ name, layout: "natural" });
const toInt = (graph: Lowering, name: string): string => graph.op("Cast", [name], { to: ELEMENT_TYPES.int32 });
const clip = (graph: Lowering, name: string, high: number): string => graph.op("Clip", [name, graph.floats([0]), graph.floats([high])]);
const add = (graph: Lowering, a: string, b: string): string => graph.op("Add", [a, b]);
const mul = (graph: Lowering, a: string, b: string): string => graph.op("Mul", [a, b]);
const sub = (graph: Lowering, a: string, b: string): string => graph.op("Sub", [a, b]);
const and = (graph: Lowering, a: string, b: string): string => graph.op("And", [a, b]);

/** Whole numbers 0, 1... as floats of some shape. */
const counting = (graph: Lowering, count: number, dims: readonly number[]): string =>
  graph.floats(Array.from({ length: count }, (_, i) => i), dims); // prettier-ignore

/** Half away from zero for positive numbers, as JavaScript's Math.round. */
const rounded = (graph: Lowering, name: string): string => graph.op("Floor", [add(graph, name, graph.floats([0.5]))]);

/** A mask or weight with a channel axis behind. */
const perChannel = (graph: Lowering, name: string): string => graph.op("Unsqueeze", [name, graph.ints([-1])]);

const read =
  (reading: Read): LoweringRule =>
  (graph, value) => {
    const [image, ...others] = value.inputs as [Value, ...Value[]];
    const channels = image.shape[3]!;
    const { corners, valid, fill } = reading(graph, value, image.shape, others, value.shape);
    const pixels = graph.reshape(graph.natural(image), [sizeOf(image.shape) / channels, channels]);
    const filling = image.dtype === "int32" ? graph.int32([fill]) : graph.floats([fill]);
    const terms = corners.map(({ index, weight, inside }) => {
      const found = graph.op("Gather", [pixels, index], { axis: 0 });
      const kept = inside === null ? found : graph.op("Where", [perChannel(graph, inside), found, filling]);
      return weight === null ? kept : mul(graph, kept, perChannel(graph, weight));
    });
    const sum = terms.length === 1 ? terms[0]! : graph.op("Sum", terms);
    return natural(valid === null ? sum : graph.op("Where", [perChannel(graph, valid), sum, filling]));
  };

/** For images of `value`'s shape; the first input is the gradient of the output. */
const readGradient =
  (reading: Read): LoweringRule =>
  (graph, value) => {
    const [dy, ...others] = value.inputs as [Value, ...Value[]];
    const channels = value.shape[3]!;
    const outputs = dy.shape.slice(0, 3);
    const count = sizeOf(outputs);
    const { corners, valid } = reading(graph, value, value.shape, others, dy.shape);
    const used = valid === null ? graph.natural(dy) : graph.op("Where", [perChannel(graph, valid), graph.natural(dy), graph.floats([0])]);
    const whole = graph.ints(outputs);
    const parts = corners.map(({ index, weight, inside }) => {
      const share = weight === null ? used : mul(graph, used, perChannel(graph, weight));
      const kept = inside === null ? share : graph.op("Where", [perChannel(graph, inside), share, graph.floats([0])]);
      return { rows: graph.reshape(kept, [count, channels]), places: graph.reshape(graph.op("Expand", [index, whole]), [count, 1]) };
    });
    const join = (names: string[]): string => (names.length === 1 ? names[0]! : graph.op("Concat", names, { axis: 0 }));
    const places = graph.op("Cast", [join(parts.map((part) => part.places))], { to: ELEMENT_TYPES.int64 });
    const zeros = graph.op("Expand", [graph.floats([0]), graph.ints([sizeOf(value.shape) / channels, channels])]);
    const sum = graph.op("ScatterND", [zeros, places, join(parts.map((part) => part.rows))], { reduction: "add" });
    return natural(graph.reshape(sum, value.shape));
  };

/** Coordinates of a crop along one axis, `[boxes, side]`, in pixels of the image. */
function cropCoordinates(graph: Lowering, boxes: string, axis: 0 | 1, side: number, length: number): string {
  const edge = (at: number): string => graph.slice(boxes, [1], [at], [at + 1]);
  const [low, high] = [edge(axis), edge(axis + 2)];
  const last = graph.floats([length - 1]);
  if (side === 1) return mul(graph, mul(graph, add(graph, low, high), graph.floats([0.5])), last);
  const step = mul(graph, sub(graph, high, low), graph.floats([(length - 1) / (side - 1)]));
  return add(graph, mul(graph, low, last), mul(graph, counting(graph, side, [1, side]), step));
}

const within = (graph: Lowering, name: string, high: number): string =>
  and(graph, graph.op("GreaterOrEqual", [name, graph.floats([0])]), graph.op("LessOrEqual", [name, graph.floats([high])]));

/** Coordinates that are no numbers, or outside, must not become indices. */
const elsewhere0 = (graph: Lowering, inside: string, name: string): string => graph.op("Where", [inside, name, graph.floats([0])]);

interface Along {
  /** Neighbouring pixels as int32 and the share of the second one. */
  readonly low: string;
  readonly high: string;
  readonly share: string;
}

/** The two pixels around coordinates already inside 0..length - 1. */
function neighbours(graph: Lowering, coordinate: string, length: number): Along {
  const floor = graph.op("Floor", [coordinate]);
  const next = graph.op("Min", [add(graph, floor, graph.floats([1])), graph.floats([length - 1])]);
  return { low: toInt(graph, floor), high: toInt(graph, next), share: sub(graph, coordinate, floor) };
}

/** Coordinates of crops, their box's image and what is inside; shared with the gradient of the boxes. */
function crops(graph: Lowering, image: readonly number[], [boxes, boxIndex]: readonly Value[], output: readonly number[]) {
  const [n, h, w] = image as Image;
  const [count, ch, cw] = output as Image;
  const name = graph.natural(boxes!);
  const ys = cropCoordinates(graph, name, 0, ch, h);
  const xs = cropCoordinates(graph, name, 1, cw, w);
  const owner = graph.natural(boxIndex!);
  const known = and(graph, graph.op("GreaterOrEqual", [owner, graph.int32([0])]), graph.op("Less", [owner, graph.int32([n])]));
  const first = mul(graph, graph.op("Clip", [owner, graph.int32([0]), graph.int32([n - 1])]), graph.int32([h * w]));
  const place = graph.reshape(first, [count, 1, 1]);
  const row = (inRows: string): string => graph.reshape(inRows, [count, ch, 1]);
  const column = (inColumns: string): string => graph.reshape(inColumns, [count, 1, cw]);
  const [rowsInside, columnsInside] = [within(graph, ys, h - 1), within(graph, xs, w - 1)];
  const valid = and(graph, and(graph, row(rowsInside), column(columnsInside)), graph.reshape(known, [count, 1, 1]));
  const at = (y: string, x: string): string => add(graph, add(graph, place, mul(graph, row(y), graph.int32([w]))), column(x));
  return { ys: elsewhere0(graph, rowsInside, ys), xs: elsewhere0(graph, columnsInside, xs), valid, row, column, at, h, w };
}

const one = (graph: Lowering, name: string): string => sub(graph, graph.floats([1]), name);

const cropAndResize: Read = (graph, value, image, others, output) => {
  const { method, extrapolation } = value.attributes as { method: string; extrapolation: number };
  const { ys, xs, valid, row, column, at, h, w } = crops(graph, image, others, output);
  if (method === "nearest") {
    const index = at(toInt(graph, rounded(graph, ys)), toInt(graph, rounded(graph, xs)));
    return { corners: [{ index, weight: null, inside: null }], valid, fill: extrapolation };
  }
  const y = neighbours(graph, ys, h);
  const x = neighbours(graph, xs, w);
  const [rowHigh, columnHigh] = [row(y.share), column(x.share)];
  const [rowLow, columnLow] = [one(graph, rowHigh), one(graph, columnHigh)];
  const corner = (index: string, a: string, b: string): Corner => ({ index, weight: mul(graph, a, b), inside: null });
  return {
    corners: [
      corner(at(y.low, x.low), rowLow, columnLow),
      corner(at(y.low, x.high), rowLow, columnHigh),
      corner(at(y.high, x.low), rowHigh, columnLow),
      corner(at(y.high, x.high), rowHigh, columnHigh),
    ],
    valid,
    fill: extrapolation,
  };
};

/** Gradient for the boxes of bilinear crops: the slope across rows and columns, spread over both edges. Inputs dy, image, boxes, box index. */
const cropBoxesGrad: LoweringRule = (graph, value) => {
  const [dy, image, ...others] = value.inputs as [Value, Value, ...Value[]];
  const [count, ch, cw, channels] = dy.shape as unknown as Image;
  const { ys, xs, valid, row, column, at, h, w } = crops(graph, image.shape, others, dy.shape);
  const y = neighbours(graph, ys, h);
  const x = neighbours(graph, xs, w);
  const pixels = graph.reshape(graph.natural(image), [sizeOf(image.shape) / channels, channels]);
  const pixel = (inRow: string, inColumn: string): string => graph.op("Gather", [pixels, at(inRow, inColumn)], { axis: 0 });
  const [topLeft, topRight, bottomLeft, bottomRight] = [
    pixel(y.low, x.low),
    pixel(y.low, x.high),
    pixel(y.high, x.low),
    pixel(y.high, x.high),
  ];
  const mix = (a: string, b: string, share: string): string => add(graph, a, mul(graph, sub(graph, b, a), perChannel(graph, share)));
  const used = graph.op("Where", [perChannel(graph, valid), graph.natural(dy), graph.floats([0])]);
  const slopeY = sub(graph, mix(bottomLeft, bottomRight, column(x.share)), mix(topLeft, topRight, column(x.share)));
  const slopeX = sub(graph, mix(topRight, bottomRight, row(y.share)), mix(topLeft, bottomLeft, row(y.share)));
  const total = (slope: string, kept: 1 | 2): string =>
    graph.op("ReduceSum", [mul(graph, used, slope), graph.ints(kept === 1 ? [2, 3] : [1, 3])], { keepdims: 0 });
  const edges = (perPlace: string, side: number, length: number): [string, string] => {
    const toHigh = Array.from({ length: side }, (_, i) => (length - 1) * (side === 1 ? 0.5 : i / (side - 1)));
    const sum = (weights: readonly number[]): string =>
      graph.op("ReduceSum", [mul(graph, perPlace, graph.floats(weights, [1, side])), graph.ints([1])], { keepdims: 1 });
    return [sum(toHigh.map((v) => length - 1 - v)), sum(toHigh)];
  };
  const [top, bottom] = edges(total(slopeY, 1), ch, h);
  const [left, right] = edges(total(slopeX, 2), cw, w);
  return natural(graph.reshape(graph.op("Concat", [top, left, bottom, right], { axis: 1 }), [count, 4]));
};

/** Pixels that a coordinate outside the image stands for. */
function mapped(graph: Lowering, coordinate: string, length: number, mode: string): string {
  if (mode === "constant") return coordinate;
  const last = graph.floats([length - 1]);
  const inside = (name: string): string => clip(graph, name, length - 1);
  if (mode === "nearest" || length === 1) return inside(coordinate);
  const negative = graph.op("Less", [coordinate, graph.floats([0])]);
  const beyond = graph.op("Greater", [coordinate, last]);
  const truncated = (name: string, by: number): string => graph.op("Floor", [graph.op("Div", [name, graph.floats([by])])]);
  const opposite = graph.op("Neg", [coordinate]);
  const choose = (below: string, above: string): string =>
    inside(graph.op("Where", [negative, below, graph.op("Where", [beyond, above, coordinate])]));
  if (mode === "wrap") {
    // As TensorFlow: periods of `length`, counted by length - 1.
    const up = mul(graph, add(graph, truncated(opposite, length - 1), graph.floats([1])), graph.floats([length]));
    return choose(
      add(graph, coordinate, up),
      sub(graph, coordinate, mul(graph, truncated(coordinate, length - 1), graph.floats([length]))),
    );
  }
  const period = graph.floats([2 * length]);
  const below = add(graph, mul(graph, truncated(opposite, 2 * length), period), coordinate);
  const farBelow = graph.op("Less", [below, graph.floats([-length])]);
  const reflectedBelow = graph.op("Where", [farBelow, add(graph, below, period), sub(graph, graph.op("Neg", [below]), graph.floats([1]))]);
  const above = sub(graph, coordinate, mul(graph, truncated(coordinate, 2 * length), period));
  const farAbove = graph.op("GreaterOrEqual", [above, graph.floats([length])]);
  const reflectedAbove = graph.op("Where", [farAbove, sub(graph, sub(graph, period, above), graph.floats([1])), above]);
  return choose(reflectedBelow, reflectedAbove);
}

/** Output pixel (x, y) reads ((a x + b y + c) / k, (d x + e y + f) / k) with k = g x + h y + 1. */
const transform: Read = (graph, value, image, [transforms], output) => {
  const { interpolation, fillMode, fill } = value.attributes as { interpolation: string; fillMode: string; fill: number };
  const [n, h, w] = image as Image;
  const [, oh, ow] = output as Image;
  const matrix = graph.natural(transforms!);
  const entry = (i: number): string => graph.reshape(graph.slice(matrix, [1], [i], [i + 1]), [transforms!.shape[0]!, 1, 1]);
  const xs = counting(graph, ow, [1, 1, ow]);
  const ys = counting(graph, oh, [1, oh, 1]);
  const line = (a: number, b: number, c: string): string => add(graph, add(graph, mul(graph, entry(a), xs), mul(graph, entry(b), ys)), c);
  const divisor = line(6, 7, graph.floats([1]));
  const infinite = graph.op("Equal", [divisor, graph.floats([0])]);
  const valid = graph.op("Not", [infinite]);
  const scale = graph.op("Where", [infinite, graph.floats([1]), divisor]);
  const x = mapped(graph, graph.op("Div", [line(0, 1, entry(2)), scale]), w, fillMode);
  const y = mapped(graph, graph.op("Div", [line(3, 4, entry(5)), scale]), h, fillMode);
  const first = graph.int32(Array.from({ length: n }, (_, i) => i * h * w), [n, 1, 1]); // prettier-ignore
  const corner = (row: string, column: string, weight: string | null): Corner => {
    const [rowInside, columnInside] = [within(graph, row, h - 1), within(graph, column, w - 1)];
    const start = mul(graph, toInt(graph, elsewhere0(graph, rowInside, row)), graph.int32([w]));
    const index = add(graph, add(graph, first, start), toInt(graph, elsewhere0(graph, columnInside, column)));
    return { index, weight, inside: and(graph, rowInside, columnInside) };
  };
  if (interpolation === "nearest") return { corners: [corner(rounded(graph, y), rounded(graph, x), null)], valid, fill };
  const [top, left] = [graph.op("Floor", [y]), graph.op("Floor", [x])];
  const [bottom, right] = [add(graph, top, graph.floats([1])), add(graph, left, graph.floats([1]))];
  const [down, along] = [sub(graph, y, top), sub(graph, x, left)];
  return {
    corners: [
      corner(top, left, mul(graph, one(graph, down), one(graph, along))),
      corner(top, right, mul(graph, one(graph, down), along)),
      corner(bottom, left, mul(graph, down, one(graph, along))),
      corner(bottom, right, mul(graph, down, along)),
    ],
    valid,
    fill,
  };
};

/** Places are known beforehand: a table of pixels. `[N, height, width]` */
const rotate: Read = (graph, value, image) => {
  const { radians, centerX, centerY, fill } = value.attributes as Record<"radians" | "centerX" | "centerY" | "fill", number>;
  const [n, h, w] = image as Image;
  const [sine, cosine] = [Math.sin(radians), Math.cos(radians)];
  const inside = new Uint8Array(h * w);
  const index = new Int32Array(n * h * w);
  for (let row = 0; row < h; row++) {
    for (let column = 0; column < w; column++) {
      const x = Math.round((column - centerX) * cosine - (row - centerY) * sine + centerX);
      const y = Math.round((column - centerX) * sine + (row - centerY) * cosine + centerY);
      if (x < 0 || x >= w || y < 0 || y >= h) continue;
      inside[row * w + column] = 1;
      for (let b = 0; b < n; b++) index[(b * h + row) * w + column] = (b * h + y) * w + x;
    }
  }
  const mask = graph.constant("bool", [1, h, w], inside);
  return { corners: [{ index: graph.int32([...index], [n, h, w]), weight: null, inside: null }], valid: mask, fill };
};

/** Rules of reading at computed places by recorded operation. */
export const samplingRules: Readonly<Record<string, LoweringRule>> = {
  CropAndResize: read(cropAndResize),
  CropAndResizeImageGrad: readGradient(cropAndResize),
  CropAndResizeBoxesGrad: cropBoxesGrad,
  Transform: read(transform),
  TransformGrad: readGradient(transform),
  Rotate: read(rotate),
  RotateGrad: readGradient(rotate),
};
