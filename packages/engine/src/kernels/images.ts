/** Kernels of images: morphology, local response, crops, transforms. */

import { GeoLearnError } from "@geolearn/core";
import * as tf from "@tensorflow/tfjs";
import { tensorType } from "../graph/backend.ts";
import type { Attributes } from "../graph/value.ts";
import { endPad } from "./geometry.ts";
import type { Kernel, KernelCall, KernelTable } from "./register.ts";

type Image = [number, number, number, number];

function dilationOf({ inputs, attributes }: KernelCall): { outShape: number[]; recorded: Attributes } {
  const info = tf.backend_util.computeDilation2DInfo(
    inputs["x"]!.shape as Image,
    inputs["filter"]!.shape as [number, number, number],
    attributes["strides"] as number | [number, number],
    attributes["pad"] as "same" | "valid" | number,
    "NHWC",
    attributes["dilations"] as number | [number, number],
  );
  const { top, left } = info.padInfo;
  const bottom = endPad(info.inHeight, info.outHeight, info.strideHeight, info.effectiveFilterHeight, top);
  const right = endPad(info.inWidth, info.outWidth, info.strideWidth, info.effectiveFilterWidth, left);
  const recorded = {
    strides: [info.strideHeight, info.strideWidth],
    dilations: [info.dilationHeight, info.dilationWidth],
    pads: [top, left, bottom, right],
  };
  return { outShape: info.outShape, recorded };
}

function dilation2d(call: KernelCall): tf.TensorInfo {
  const { outShape, recorded } = dilationOf(call);
  return call.backend.emit("Dilation2D", [call.inputs["x"]!, call.inputs["filter"]!], recorded, outShape, "float32");
}

const dilationGradient =
  (op: string, of: "x" | "filter"): Kernel =>
  (call) => {
    const { x, filter, dy } = call.inputs as Record<"x" | "filter" | "dy", tf.TensorInfo>;
    return call.backend.emit(op, [x, filter, dy], dilationOf(call).recorded, call.inputs[of]!.shape, "float32");
  };

const localResponse =
  (op: string): Kernel =>
  ({ inputs, attributes, backend }) => {
    const { depthRadius, bias, alpha, beta } = attributes as Record<"depthRadius" | "bias" | "alpha" | "beta", number>;
    const given = op === "LRN" ? [inputs["x"]!] : [inputs["x"]!, inputs["y"]!, inputs["dy"]!];
    return backend.emit(op, given, { depthRadius, bias, alpha, beta }, inputs["x"]!.shape, "float32");
  };

function cropAndResize({ inputs, attributes, backend }: KernelCall): tf.TensorInfo {
  const { image, boxes, boxInd } = inputs as Record<"image" | "boxes" | "boxInd", tf.TensorInfo>;
  const [height, width] = attributes["cropSize"] as [number, number];
  const settings = { method: attributes["method"] as string, extrapolation: attributes["extrapolationValue"] as number };
  return backend.emit("CropAndResize", [image, boxes, boxInd], settings, [boxes.shape[0]!, height, width, image.shape[3]!], "float32");
}

function transform({ inputs, attributes, backend }: KernelCall): tf.TensorInfo {
  const { image, transforms } = inputs as Record<"image" | "transforms", tf.TensorInfo>;
  const [n, h, w, c] = image.shape as Image;
  if (transforms.shape[0] !== 1 && transforms.shape[0] !== n) {
    throw new GeoLearnError("INVALID_ARGUMENT", `transform: ${transforms.shape[0]} transforms for ${n} images; expected 1 or ${n}`);
  }
  const [height, width] = (attributes["outputShape"] as [number, number] | undefined) ?? [h, w];
  const settings = {
    interpolation: attributes["interpolation"] as string,
    fillMode: attributes["fillMode"] as string,
    fill: attributes["fillValue"] as number,
  };
  return backend.emit("Transform", [image, transforms], settings, [n, height, width, c], tensorType(image.dtype));
}

function rotateWithOffset({ inputs, attributes, backend }: KernelCall): tf.TensorInfo {
  const image = inputs["image"]!;
  const [, h, w, channels] = image.shape as Image;
  const [centerX, centerY] = tf.backend_util.getImageCenter(attributes["center"] as number | [number, number], h, w);
  const fill = attributes["fillValue"] as number | readonly number[];
  const settings = { radians: attributes["radians"] as number, centerX, centerY };
  const dtype = tensorType(image.dtype);
  if (typeof fill === "number") return backend.emit("Rotate", [image], { ...settings, fill }, image.shape, dtype);
  // A fill value per channel, and full opacity for a fourth one.
  const parts = Array.from({ length: channels }, (_, c) => {
    const one = backend.emit(
      "Slice",
      [image],
      { begin: [0, 0, 0, c], size: [...image.shape.slice(0, 3), 1] },
      [...image.shape.slice(0, 3), 1],
      dtype,
    );
    const turned = backend.emit("Rotate", [one], { ...settings, fill: c === 3 ? 255 : fill[c]! }, one.shape, dtype);
    backend.disposeData(one.dataId);
    return turned;
  });
  const out = backend.emit("Concat", parts, { axis: 3 }, image.shape, dtype);
  for (const part of parts) backend.disposeData(part.dataId);
  return out;
}

/** Image kernels by tfjs's names. */
export const imageKernels: KernelTable = {
  Dilation2D: dilation2d,
  Dilation2DBackpropInput: dilationGradient("Dilation2DInputGrad", "x"),
  Dilation2DBackpropFilter: dilationGradient("Dilation2DFilterGrad", "filter"),
  LRN: localResponse("LRN"),
  LRNGrad: localResponse("LRNGrad"),
  CropAndResize: cropAndResize,
  Transform: transform,
  RotateWithOffset: rotateWithOffset,
  FlipLeftRight: ({ inputs, backend }) =>
    backend.emit("Reverse", [inputs["image"]!], { axes: [2] }, inputs["image"]!.shape, tensorType(inputs["image"]!.dtype)),
};
