/** Gradients of picking, placing and moving elements. */

import * as tf from "@tensorflow/tfjs";
import { emit } from "../ops/emit.ts";
import { type GradientRule, type GradientTable, noGradient } from "./rule.ts";

const gather: GradientRule = {
  saves: ["x", "indices"],
  gradient: ([dy], [x, indices], { axis, batchDims }) => ({
    x: () => {
      const [at] = tf.util.parseAxisParam(axis as number, x!.shape);
      return emit("GatherGrad", [dy!, indices!], { axis: at!, batchDims: (batchDims as number | undefined) ?? 0 }, x!.shape);
    },
    indices: () => noGradient(indices!),
  }),
};

const gatherNd: GradientRule = {
  saves: ["params", "indices"],
  gradient: ([dy], [params, indices]) => ({
    params: () => emit("ScatterNd", [indices!, dy!], {}, params!.shape),
    indices: () => noGradient(indices!),
  }),
};

const picked = (dy: tf.Tensor, indices: tf.Tensor, shape: readonly number[]): tf.Tensor => emit("GatherNd", [dy, indices], {}, shape);

const scatterNd: GradientRule = {
  saves: ["indices", "updates"],
  gradient: ([dy], [indices, updates]) => ({
    updates: () => picked(dy!, indices!, updates!.shape),
    indices: () => noGradient(indices!),
  }),
};

/** What was replaced gets nothing. */
const tensorScatterUpdate: GradientRule = {
  saves: ["tensor", "indices", "updates"],
  gradient: ([dy], [tensor, indices, updates]) => ({
    tensor: () => emit("ScatterUpdate", [dy!, indices!, emit("Fill", [], { value: 0 }, updates!.shape)], {}, tensor!.shape),
    updates: () => picked(dy!, indices!, updates!.shape),
    indices: () => noGradient(indices!),
  }),
};

const topK: GradientRule = {
  saves: ["x"],
  savesOutputs: [false, true],
  gradient: ([dy], [x, indices]) => ({ x: () => emit("TopKGrad", [dy!, indices!], {}, x!.shape) }),
};

const stridedSlice: GradientRule = {
  saves: ["x"],
  gradient: ([dy], [x], a) => ({
    x: () => {
      const { begin, end, strides, beginMask, endMask, ellipsisMask, newAxisMask, shrinkAxisMask } = a as Record<string, number & number[]>;
      const info = tf.slice_util.sliceInfo(
        x!.shape, begin!, end!, strides!, beginMask!, endMask!, ellipsisMask!, newAxisMask!, shrinkAxisMask!,
      ); // prettier-ignore
      if (info.isIdentity) return tf.reshape(dy!, x!.shape);
      if (tf.util.sizeFromShape(info.finalShape) === 0) return noGradient(x!);
      const part = tf.reshape(dy!, tf.slice_util.computeOutShape(info.begin, info.end, info.strides));
      return emit("StridedSliceGrad", [part], { begin: info.begin.slice(), strides: info.strides.slice() }, x!.shape);
    },
  }),
};

const depthToSpace: GradientRule = {
  saves: ["x"],
  gradient: ([dy], [x], { blockSize }) => ({ x: () => emit("SpaceToDepth", [dy!], { block: blockSize as number }, x!.shape) }),
};

/** tfjs forgets what the mirror images got. */
const mirrorPad: GradientRule = {
  saves: ["x"],
  gradient: ([dy], [x], { paddings, mode }) => ({
    x: () => {
      const pads = paddings as [number, number][];
      const settings = { before: pads.map((p) => p[0]), after: pads.map((p) => p[1]), mode: mode as string };
      return emit("MirrorPadGrad", [dy!], settings, x!.shape);
    },
  }),
};

/** Any rank; tfjs slices, and gives up above 4. */
const tile: GradientRule = {
  saves: ["x"],
  gradient: ([dy], [x], { reps }) => ({
    x: () => {
      const times = reps as number[];
      const split = x!.shape.flatMap((side, axis) => [times[axis]!, side]);
      const axes = x!.shape.map((_, axis) => 2 * axis).filter((axis) => split[axis]! > 1);
      return tf.reshape(axes.length === 0 ? dy! : tf.sum(tf.reshape(dy!, split), axes), x!.shape);
    },
  }),
};

const diag: GradientRule = {
  saves: ["x"],
  gradient: ([dy], [x]) => ({
    x: () => {
      const { size } = x!;
      // The diagonal of a square is every size + 1-st element.
      const padded = tf.pad(tf.reshape(dy!, [size * size]), [[0, size]]);
      return tf.reshape(tf.slice(tf.reshape(padded, [size, size + 1]), [0, 0], [size, 1]), x!.shape);
    },
  }),
};

/** tfjs hands one gradient instead of a list when there is one part, and then trips over it. */
const joined = (join: (parts: tf.Tensor[], axis: number) => tf.Tensor, input: string): GradientRule => ({
  gradient: (dy, _saved, { axis }) => ({ [input]: () => join(dy, axis as number) }),
});

/** Rules by name of the operation. */
export const indexingGradients: GradientTable = {
  GatherV2: gather,
  GatherNd: gatherNd,
  ScatterNd: scatterNd,
  TensorScatterUpdate: tensorScatterUpdate,
  TopK: topK,
  StridedSlice: stridedSlice,
  DepthToSpace: depthToSpace,
  MirrorPad: mirrorPad,
  Tile: tile,
  Diag: diag,
  Unpack: joined((parts, axis) => tf.stack(parts, axis), "value"),
  SplitV: joined((parts, axis) => tf.concat(parts, axis), "x"),
};
