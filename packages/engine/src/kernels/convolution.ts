/** Convolutions and their gradients. */

import * as tf from "@tensorflow/tfjs";
import { withActivation } from "./activation.ts";
import { endPad } from "./geometry.ts";
import type { Kernel, KernelCall, KernelTable } from "./register.ts";

type ConvInfo = ReturnType<typeof tf.backend_util.computeConv2DInfo>;

/** Attributes of recorded convolutions. */
export interface ConvolutionAttributes extends Record<string, readonly number[] | number> {
  /** `[height, width]` */
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** `[top, left, bottom, right]` */
  readonly pads: readonly number[];
}

function infoOf(attributes: KernelCall["attributes"], x: readonly number[], filter: readonly number[], depthwise: boolean): ConvInfo {
  return tf.backend_util.computeConv2DInfo(
    x as [number, number, number, number],
    filter as [number, number, number, number],
    attributes["strides"] as number | [number, number],
    (attributes["dilations"] as number | [number, number] | undefined) ?? 1,
    attributes["pad"] as "same" | "valid" | number,
    attributes["dimRoundingMode"] as "floor" | "round" | "ceil" | undefined,
    depthwise,
  );
}

function attributesOf(info: ConvInfo): ConvolutionAttributes {
  const { top, left } = info.padInfo;
  const bottom = endPad(info.inHeight, info.outHeight, info.strideHeight, info.effectiveFilterHeight, top);
  const right = endPad(info.inWidth, info.outWidth, info.strideWidth, info.effectiveFilterWidth, left);
  return {
    strides: [info.strideHeight, info.strideWidth],
    dilations: [info.dilationHeight, info.dilationWidth],
    pads: [top, left, bottom, right],
  };
}

const forward =
  (op: string) =>
  ({ inputs, attributes, backend }: KernelCall): tf.TensorInfo => {
    const x = inputs["x"]!;
    const filter = inputs["filter"]!;
    const info = infoOf(attributes, x.shape, filter.shape, false);
    return backend.emit(op, [x, filter], attributesOf(info), info.outShape, "float32");
  };

const inputGradient =
  (op: string) =>
  ({ inputs, attributes, backend }: KernelCall): tf.TensorInfo => {
    const dy = inputs["dy"]!;
    const filter = inputs["filter"]!;
    const shape = attributes["inputShape"] as number[];
    return backend.emit(op, [dy, filter], attributesOf(infoOf(attributes, shape, filter.shape, false)), shape, "float32");
  };

const filterGradient =
  (op: string) =>
  ({ inputs, attributes, backend }: KernelCall): tf.TensorInfo => {
    const x = inputs["x"]!;
    const dy = inputs["dy"]!;
    const shape = attributes["filterShape"] as number[];
    return backend.emit(op, [x, dy], attributesOf(infoOf(attributes, x.shape, shape, false)), shape, "float32");
  };

const conv2d = forward("Conv2D");

/** A depthwise filter `[height, width, C, multiplier]` is that of a convolution in C groups, `[height, width, 1, C * multiplier]`. */
const groupedShape = ([kh, kw, channels, multiplier]: readonly number[]): number[] => [kh!, kw!, 1, channels! * multiplier!];

function asGrouped({ backend }: KernelCall, filter: tf.TensorInfo): tf.TensorInfo {
  return backend.emit("Reshape", [filter], {}, groupedShape(filter.shape), "float32");
}

function depthwise(call: KernelCall): tf.TensorInfo {
  const { inputs, attributes, backend } = call;
  const x = inputs["x"]!;
  const { shape } = inputs["filter"]!;
  const info = infoOf(attributes, x.shape, shape, true);
  const filter = asGrouped(call, inputs["filter"]!);
  const out = backend.emit("GroupedConv", [x, filter], { ...attributesOf(info), groups: shape[2]! }, info.outShape, "float32");
  backend.disposeData(filter.dataId);
  return out;
}

function depthwiseInputGradient(call: KernelCall): tf.TensorInfo {
  const { inputs, attributes, backend } = call;
  const { shape } = inputs["filter"]!;
  const inputShape = attributes["inputShape"] as number[];
  const geometry = attributesOf(infoOf(attributes, inputShape, shape, true));
  const filter = asGrouped(call, inputs["filter"]!);
  const out = backend.emit("GroupedInputGrad", [inputs["dy"]!, filter], { ...geometry, groups: shape[2]! }, inputShape, "float32");
  backend.disposeData(filter.dataId);
  return out;
}

function depthwiseFilterGradient({ inputs, attributes, backend }: KernelCall): tf.TensorInfo {
  const x = inputs["x"]!;
  const shape = attributes["filterShape"] as number[];
  const geometry = attributesOf(infoOf(attributes, x.shape, shape, true));
  const grouped = backend.emit("GroupedFilterGrad", [x, inputs["dy"]!], { ...geometry, groups: shape[2]! }, groupedShape(shape), "float32");
  const out = backend.emit("Reshape", [grouped], {}, shape, "float32");
  backend.disposeData(grouped.dataId);
  return out;
}

const TO_LAST = [0, 2, 3, 1] as const;
const TO_FIRST = [0, 3, 1, 2] as const;

/** Images of tfjs's format NCHW are turned before and after; `images` names the inputs that are images. */
const anyFormat =
  (kernel: Kernel, images: readonly string[], imageResult: boolean): Kernel =>
  (call) => {
    const { inputs, attributes, backend } = call;
    if (attributes["dataFormat"] !== "NCHW") return kernel(call);
    const turn = (x: tf.TensorInfo, perm: readonly number[]): tf.TensorInfo =>
      backend.emit("Transpose", [x], { perm: [...perm] }, perm.map((axis) => x.shape[axis]!), "float32"); // prettier-ignore
    const turned = Object.fromEntries(images.map((name) => [name, turn(inputs[name]!, TO_LAST)]));
    const inputShape = attributes["inputShape"] as number[] | undefined;
    const shape = inputShape === undefined ? {} : { inputShape: TO_LAST.map((axis) => inputShape[axis]!) };
    const result = kernel({
      inputs: { ...inputs, ...turned },
      attributes: { ...attributes, ...shape, dataFormat: "NHWC" },
      backend,
    }) as tf.TensorInfo;
    for (const image of Object.values(turned)) backend.disposeData(image.dataId);
    if (!imageResult) return result;
    const out = turn(result, TO_FIRST);
    backend.disposeData(result.dataId);
    return out;
  };

/** Convolution kernels by tfjs's names. */
export const convolutionKernels: KernelTable = {
  Conv2D: anyFormat(conv2d, ["x"], true),
  FusedConv2D: anyFormat((call) => withActivation(call, conv2d(call)), ["x"], true),
  Conv2DBackpropInput: anyFormat(inputGradient("Conv2DInputGrad"), ["dy"], true),
  Conv2DBackpropFilter: anyFormat(filterGradient("Conv2DFilterGrad"), ["x", "dy"], false),
  DepthwiseConv2dNative: anyFormat(depthwise, ["x"], true),
  FusedDepthwiseConv2D: anyFormat((call) => withActivation(call, depthwise(call)), ["x"], true),
  DepthwiseConv2dNativeBackpropInput: anyFormat(depthwiseInputGradient, ["dy"], true),
  DepthwiseConv2dNativeBackpropFilter: anyFormat(depthwiseFilterGradient, ["x", "dy"], false),
};
