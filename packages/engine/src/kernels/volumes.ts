/** Convolution and pooling of volumes, and their gradients. */

import { GeoLearnError } from "@geolearn/core";
import * as tf from "@tensorflow/tfjs";
import type { Attributes } from "../graph/value.ts";
import { endPad } from "./geometry.ts";
import type { KernelCall, KernelTable } from "./register.ts";

type Volume = [number, number, number, number, number];
type Triple = number | [number, number, number];

function checkFormat(attributes: KernelCall["attributes"]): void {
  const format = attributes["dataFormat"];
  if (format === undefined || format === null || format === "NDHWC") return;
  throw new GeoLearnError("KERNEL_MISSING", `volumes with data format ${JSON.stringify(format)}; the engine has NDHWC`, {
    hint: "Transpose to [N, depth, height, width, C] first.",
  });
}

interface Info {
  readonly inDepth: number;
  readonly inHeight: number;
  readonly inWidth: number;
  readonly outDepth: number;
  readonly outHeight: number;
  readonly outWidth: number;
  readonly strideDepth: number;
  readonly strideHeight: number;
  readonly strideWidth: number;
  readonly dilationDepth: number;
  readonly dilationHeight: number;
  readonly dilationWidth: number;
  readonly effectiveFilterDepth: number;
  readonly effectiveFilterHeight: number;
  readonly effectiveFilterWidth: number;
  readonly padInfo: { readonly front: number; readonly top: number; readonly left: number };
}

function padsOf(info: Info): number[] {
  // tfjs's "same" padding of volumes goes below 0 where the stride is greater than the window.
  const [front, top, left] = [info.padInfo.front, info.padInfo.top, info.padInfo.left].map((pad) => Math.max(0, pad)) as [
    number,
    number,
    number,
  ];
  return [
    front, top, left,
    endPad(info.inDepth, info.outDepth, info.strideDepth, info.effectiveFilterDepth, front),
    endPad(info.inHeight, info.outHeight, info.strideHeight, info.effectiveFilterHeight, top),
    endPad(info.inWidth, info.outWidth, info.strideWidth, info.effectiveFilterWidth, left),
  ]; // prettier-ignore
}

function convolution(attributes: KernelCall["attributes"], x: readonly number[], filter: readonly number[]) {
  checkFormat(attributes);
  const info = tf.backend_util.computeConv3DInfo(
    x as Volume,
    filter as Volume,
    attributes["strides"] as Triple,
    (attributes["dilations"] as Triple | undefined) ?? 1,
    attributes["pad"] as "same" | "valid",
  );
  const recorded: Attributes = {
    strides: [info.strideDepth, info.strideHeight, info.strideWidth],
    dilations: [info.dilationDepth, info.dilationHeight, info.dilationWidth],
    pads: padsOf(info),
  };
  return { outShape: info.outShape, recorded };
}

function conv3d({ inputs, attributes, backend }: KernelCall): tf.TensorInfo {
  const { x, filter } = inputs as { x: tf.TensorInfo; filter: tf.TensorInfo };
  const { outShape, recorded } = convolution(attributes, x.shape, filter.shape);
  return backend.emit("Conv3D", [x, filter], recorded, outShape, "float32");
}

function inputGradient({ inputs, attributes, backend }: KernelCall): tf.TensorInfo {
  const { dy, filter } = inputs as { dy: tf.TensorInfo; filter: tf.TensorInfo };
  const shape = attributes["inputShape"] as number[];
  return backend.emit("Conv3DInputGrad", [dy, filter], convolution(attributes, shape, filter.shape).recorded, shape, "float32");
}

function filterGradient({ inputs, attributes, backend }: KernelCall): tf.TensorInfo {
  const { x, dy } = inputs as { x: tf.TensorInfo; dy: tf.TensorInfo };
  const shape = attributes["filterShape"] as number[];
  return backend.emit("Conv3DFilterGrad", [x, dy], convolution(attributes, x.shape, shape).recorded, shape, "float32");
}

function pooling(attributes: KernelCall["attributes"], x: readonly number[]) {
  checkFormat(attributes);
  const info = tf.backend_util.computePool3DInfo(
    x as Volume,
    attributes["filterSize"] as Triple,
    attributes["strides"] as Triple,
    1,
    attributes["pad"] as "same" | "valid" | number,
    attributes["dimRoundingMode"] as "floor" | "round" | "ceil" | undefined,
  );
  const recorded: Attributes = {
    kernel: [info.filterDepth, info.filterHeight, info.filterWidth],
    strides: [info.strideDepth, info.strideHeight, info.strideWidth],
    pads: padsOf(info),
  };
  return { outShape: info.outShape, recorded };
}

const pool =
  (op: string) =>
  ({ inputs, attributes, backend }: KernelCall): tf.TensorInfo => {
    const x = inputs["x"]!;
    const { outShape, recorded } = pooling(attributes, x.shape);
    return backend.emit(op, [x], recorded, outShape, "float32");
  };

/** tfjs hands `filterSize` and the input whose shape the gradient has. */
const poolGradient =
  (op: string, needsInput: boolean) =>
  ({ inputs, attributes, backend }: KernelCall): tf.TensorInfo => {
    const { dy, input } = inputs as { dy: tf.TensorInfo; input: tf.TensorInfo };
    const { recorded } = pooling(attributes, input.shape);
    return backend.emit(op, needsInput ? [dy, input] : [dy], recorded, input.shape, "float32");
  };

/** Kernels of volumes by tfjs's names. */
export const volumeKernels: KernelTable = {
  Conv3D: conv3d,
  Conv3DBackpropInputV2: inputGradient,
  Conv3DBackpropFilterV2: filterGradient,
  MaxPool3D: pool("MaxPool3D"),
  MaxPool3DGrad: poolGradient("MaxPool3DGrad", true),
  AvgPool3D: pool("AvgPool3D"),
  AvgPool3DGrad: poolGradient("AvgPool3DGrad", false),
};
