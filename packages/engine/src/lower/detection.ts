/** Choosing boxes and cutting features out of images, as ONNX nodes. */

import type { Value } from "../graph/value.ts";
import { sizeOf } from "../graph/value.ts";
import { ELEMENT_TYPES } from "../onnx/encode.ts";
import type { Lowered, Lowering, LoweringRule } from "./lowering.ts";

type Image = readonly [number, number, number, number];

const natural = (name: string): Lowered => ({ name, layout: "natural" });

/** `[chosen]` int64: boxes by falling score; one that overlaps a better one by more than the limit is left out. */
function chosen(graph: Lowering, value: Value): string {
  const [boxes, scores] = value.inputs as [Value, Value];
  const { max, iou, score } = value.attributes as Record<"max" | "iou" | "score", number>;
  const [a, b] = [graph.natural(boxes), graph.natural(scores)];
  return graph.shared(`nms ${a} ${b} ${max} ${iou} ${score}`, () => {
    const count = boxes.shape[0]!;
    const limits = [graph.ints([max]), graph.floats([iou], [1]), ...(score === -Infinity ? [] : [graph.floats([score], [1])])];
    const found = graph.op("NonMaxSuppression", [graph.reshape(a, [1, count, 4]), graph.reshape(b, [1, 1, count]), ...limits]);
    return graph.op("Gather", [found, graph.constant("int64", [], new Uint8Array(BigInt64Array.of(2n).buffer))], { axis: 1 });
  });
}

const indices: LoweringRule = (graph, value) => {
  const max = value.attributes["max"] as number;
  const zeros = graph.op("Expand", [graph.ints([0]), graph.ints([max])]);
  const padded = graph.slice(graph.op("Concat", [chosen(graph, value), zeros], { axis: 0 }), [0], [0], [max]);
  return natural(graph.op("Cast", [padded], { to: ELEMENT_TYPES.int32 }));
};

const count: LoweringRule = (graph, value) =>
  natural(graph.reshape(graph.op("Cast", [graph.op("Shape", [chosen(graph, value)])], { to: ELEMENT_TYPES.int32 }), []));

interface Align {
  readonly size: readonly [number, number];
  readonly scale: number;
  readonly samples: number;
  readonly aligned: boolean;
}

const alignOf = (value: Value): Align => value.attributes as unknown as Align;

const roiAlign: LoweringRule = (graph, value) => {
  const [x, boxes, owners] = value.inputs as [Value, Value, Value];
  const { size, scale, samples, aligned } = alignOf(value);
  const owner = graph.op("Cast", [graph.natural(owners)], { to: ELEMENT_TYPES.int64 });
  const name = graph.op("RoiAlign", [graph.channelsFirst(x), graph.natural(boxes), owner], {
    output_height: size[0],
    output_width: size[1],
    sampling_ratio: samples,
    spatial_scale: { float: scale },
    mode: "avg",
    coordinate_transformation_mode: aligned ? "half_pixel" : "output_half_pixel",
  });
  return { name, layout: "channelsFirst" };
};

/**
 * Weights `[boxes, bins, length]` with which the pixels of one axis enter the bins of each box: samples are spread evenly in a bin and read
 * linearly; further than a pixel outside they count as 0.
 */
function binWeights(graph: Lowering, boxes: Value, axis: 0 | 1, length: number, { size, scale, samples, aligned }: Align): string {
  const bins = size[axis];
  const at = axis === 0 ? 1 : 0;
  const edge = (column: number): string =>
    graph.op("Sub", [
      graph.op("Mul", [graph.slice(graph.natural(boxes), [1], [column], [column + 1]), graph.floats([scale])]),
      graph.floats([aligned ? 0.5 : 0]),
    ]);
  const low = edge(at);
  const width = graph.op("Sub", [edge(at + 2), low]);
  const side = aligned ? width : graph.op("Max", [width, graph.floats([1])]);
  const steps = Array.from({ length: bins * samples }, (_, i) => (i + 0.5) / (bins * samples));
  const places = graph.op("Add", [low, graph.op("Mul", [side, graph.floats(steps, [1, steps.length])])]);
  const inside = graph.op("And", [
    graph.op("GreaterOrEqual", [places, graph.floats([-1])]),
    graph.op("LessOrEqual", [places, graph.floats([length])]),
  ]);
  const clipped = graph.op("Clip", [places, graph.floats([0]), graph.floats([length - 1])]);
  const pixels = graph.floats(Array.from({ length }, (_, i) => i), [1, 1, length]); // prettier-ignore
  const distance = graph.op("Abs", [graph.op("Sub", [graph.op("Unsqueeze", [clipped, graph.ints([-1])]), pixels])]);
  const hat = graph.op("Relu", [graph.op("Sub", [graph.floats([1]), distance])]);
  const mask = graph.op("Unsqueeze", [graph.op("Cast", [inside], { to: ELEMENT_TYPES.float32 }), graph.ints([-1])]);
  const weights = graph.op("Mul", [hat, mask]);
  if (samples === 1) return weights;
  const each = graph.reshape(weights, [boxes.shape[0]!, bins, samples, length]);
  return graph.op("Mul", [graph.op("ReduceSum", [each, graph.ints([2])], { keepdims: 0 }), graph.floats([1 / samples])]);
}

/** Boxes handled at once, so that what lies between the two products stays small. */
const BOXES = 64;

/** rows' x gradient x columns per box, the rows of each box standing in those of its image. */
const roiAlignGrad: LoweringRule = (graph, value) => {
  const [dy, boxes, owners] = value.inputs as [Value, Value, Value];
  const align = alignOf(value);
  const [n, h, w, channels] = value.shape as unknown as Image;
  const total = boxes.shape[0]!;
  const [bh, bw] = align.size;
  const rows = binWeights(graph, boxes, 0, h, align);
  const columns = binWeights(graph, boxes, 1, w, align);
  // [boxes, n, 1] to put the rows of a box into those of its image
  const images = graph.int32(Array.from({ length: n }, (_, i) => i), [1, 1, n, 1]); // prettier-ignore
  const owned = graph.op("Equal", [graph.reshape(graph.natural(owners), [total, 1, 1, 1]), images]);
  const spread =
    n === 1
      ? rows
      : graph.reshape(graph.op("Mul", [graph.reshape(rows, [total, bh, 1, h]), graph.op("Cast", [owned], { to: ELEMENT_TYPES.float32 })]), [
          total,
          bh,
          n * h,
        ]);
  const gradient = graph.channelsFirst(dy);
  const parts: string[] = [];
  for (let begin = 0; begin < total; begin += BOXES) {
    const end = Math.min(total, begin + BOXES);
    const some = (name: string): string => (end - begin === total ? name : graph.slice(name, [0], [begin], [end]));
    // [boxes, C * bins, bins] x [boxes, bins, W]
    const across = graph.op("MatMul", [graph.reshape(some(gradient), [end - begin, channels * bh, bw]), some(columns)]);
    const byBin = graph.op("Transpose", [graph.reshape(across, [end - begin, channels, bh, w])], { perm: [0, 2, 1, 3] });
    const flat = graph.reshape(byBin, [(end - begin) * bh, channels * w]);
    parts.push(graph.product(graph.reshape(some(spread), [(end - begin) * bh, n * h]), flat, { transA: 2 }));
  }
  const sum = parts.length === 1 ? parts[0]! : graph.op("Sum", parts);
  return { name: graph.op("Transpose", [graph.reshape(sum, [n, h, channels, w])], { perm: [0, 2, 1, 3] }), layout: "channelsFirst" };
};

const levelOf = (graph: Lowering, levels: Value, level: number): string =>
  graph.shared(`on level ${graph.natural(levels)} ${level}`, () => graph.op("Equal", [graph.natural(levels), graph.int32([level])]));

/** Only the boxes of a map are cut out of it; what was cut out then returns to the order of the boxes. */
const pyramidRoiAlign: LoweringRule = (graph, value) => {
  const [boxes, levels, ...maps] = value.inputs as [Value, Value, ...Value[]];
  const { size, samples, aligned } = alignOf(value);
  const scales = value.attributes["scales"] as readonly number[];
  const total = boxes.shape[0]!;
  const each = total / maps[0]!.shape[0]!;
  const int64 = (numbers: readonly number[]): string => graph.ints(numbers);
  const owners = int64(Array.from({ length: total }, (_, i) => Math.floor(i / each)));
  const places = maps.map((_, level) => graph.reshape(graph.op("NonZero", [levelOf(graph, levels, level)]), [-1]));
  const cut = maps.map((map, level) =>
    graph.op(
      "RoiAlign",
      [graph.channelsFirst(map), ...[graph.natural(boxes), owners].map((x) => graph.op("Gather", [x, places[level]!]))],
      {
        output_height: size[0],
        output_width: size[1],
        sampling_ratio: samples,
        spatial_scale: { float: scales[level]! },
        mode: "avg",
        coordinate_transformation_mode: aligned ? "half_pixel" : "output_half_pixel",
      },
    ),
  );
  if (maps.length === 1) return { name: cut[0]!, layout: "channelsFirst" };
  const order = graph.op("Concat", places, { axis: 0 });
  const positions = int64(Array.from({ length: total }, (_, i) => i));
  const back = graph.op("ScatterElements", [positions, order, positions], { axis: 0 });
  return { name: graph.op("Gather", [graph.op("Concat", cut, { axis: 0 }), back]), layout: "channelsFirst" };
};

/** Most numbers between the two products. */
const MOST_BETWEEN = 2 ** 24;

/** As {@link roiAlignGrad} for one map; boxes of other maps have no weight. Each image is a product of its own. */
const pyramidRoiAlignGrad: LoweringRule = (graph, value) => {
  const [dy, boxes, levels] = value.inputs as [Value, Value, Value];
  const align = alignOf(value);
  const [n, h, w, channels] = value.shape as unknown as Image;
  const total = boxes.shape[0]!;
  const each = total / n;
  const [bh, bw] = align.size;
  const here = graph.reshape(
    graph.op("Cast", [levelOf(graph, levels, value.attributes["level"] as number)], { to: ELEMENT_TYPES.float32 }),
    [total, 1, 1],
  );
  const rows = graph.reshape(graph.op("Mul", [binWeights(graph, boxes, 0, h, align), here]), [n, each, bh, h]);
  const columns = graph.reshape(binWeights(graph, boxes, 1, w, align), [n, each, bw, w]);
  const first = graph.channelsFirst(dy);
  const byBin = graph.shared(`by bin ${first}`, () => graph.op("Transpose", [first], { perm: [0, 2, 1, 3] }));
  const gradient = graph.reshape(byBin, [n, each, bh * channels, bw]);
  const most = Math.max(1, Math.floor(MOST_BETWEEN / (n * bh * channels * w)));
  const parts: string[] = [];
  for (let begin = 0; begin < each; begin += most) {
    const end = Math.min(each, begin + most);
    const some = (name: string): string => (end - begin === each ? name : graph.slice(name, [1], [begin], [end]));
    // [n, boxes, bins * C, bins] x [n, boxes, bins, W]
    const across = graph.reshape(graph.op("MatMul", [some(gradient), some(columns)]), [n, (end - begin) * bh, channels * w]);
    parts.push(graph.product(graph.reshape(some(rows), [n, (end - begin) * bh, h]), across, { transA: 3 }));
  }
  const sum = parts.length === 1 ? parts[0]! : graph.op("Sum", parts);
  return { name: graph.op("Transpose", [graph.reshape(sum, [n, h, channels, w])], { perm: [0, 2, 1, 3] }), layout: "channelsFirst" };
};

/** How often each whole number below `size` occurs, or the weights of its occurrences added, along the last axis. Others are left out. */
const bincount: LoweringRule = (graph, value) => {
  const [x, weights] = value.inputs as [Value, Value?];
  const size = value.shape.at(-1)!;
  const rows = sizeOf(value.shape) / size;
  const each = sizeOf(x.shape) / rows;
  const name = graph.natural(x);
  const outside = graph.op("Or", [graph.op("Less", [name, graph.int32([0])]), graph.op("GreaterOrEqual", [name, graph.int32([size])])]);
  const bins = graph.reshape(graph.op("Where", [outside, graph.int32([size]), name]), [rows, each]);
  const starts = graph.int32(Array.from({ length: rows }, (_, i) => i * (size + 1)), [rows, 1]); // prettier-ignore
  const places = graph.op("Cast", [graph.reshape(graph.op("Add", [bins, starts]), [rows * each, 1])], { to: ELEMENT_TYPES.int64 });
  const number = (v: number): string => (value.dtype === "int32" ? graph.int32([v]) : graph.floats([v]));
  const binary = value.attributes["binary"] === true;
  const amounts =
    weights === undefined || binary
      ? graph.op("Expand", [number(1), graph.ints([rows * each])])
      : graph.reshape(graph.natural(weights), [rows * each]);
  const zeros = graph.op("Expand", [number(0), graph.ints([rows * (size + 1)])]);
  const sums = graph.op("ScatterND", [zeros, places, amounts], { reduction: binary ? "max" : "add" });
  return natural(graph.reshape(graph.slice(graph.reshape(sums, [rows, size + 1]), [1], [0], [size]), value.shape));
};

/** Number of values in a sorted row that are below each searched one (or not above it). */
const searchSorted: LoweringRule = (graph, value) => {
  const [sorted, searched] = value.inputs as [Value, Value];
  const row = graph.op("Unsqueeze", [graph.natural(sorted), graph.ints([-2])]);
  const wanted = graph.op("Unsqueeze", [graph.natural(searched), graph.ints([-1])]);
  const counted = graph.op(value.attributes["side"] === "left" ? "Less" : "LessOrEqual", [row, wanted]);
  return natural(graph.op("ReduceSum", [graph.op("Cast", [counted], { to: ELEMENT_TYPES.int32 }), graph.ints([-1])], { keepdims: 0 }));
};

/** Rules of boxes and counting by recorded operation. */
export const detectionRules: Readonly<Record<string, LoweringRule>> = {
  NmsIndices: indices,
  NmsCount: count,
  RoiAlign: roiAlign,
  RoiAlignGrad: roiAlignGrad,
  PyramidRoiAlign: pyramidRoiAlign,
  PyramidRoiAlignGrad: pyramidRoiAlignGrad,
  Bincount: bincount,
  SearchSorted: searchSorted,
};
