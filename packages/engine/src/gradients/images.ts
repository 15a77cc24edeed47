/** Gradients of reading images at computed places. */

import * as tf from "@tensorflow/tfjs";
import { emit } from "../ops/emit.ts";
import { type GradientRule, type GradientTable, noGradient } from "./rule.ts";

const cropAndResize: GradientRule = {
  saves: ["image", "boxes", "boxInd"],
  gradient: ([dy], [image, boxes, owners], { method, extrapolationValue }) => {
    const settings = { method: method as string, extrapolation: extrapolationValue as number };
    return {
      image: () => emit("CropAndResizeImageGrad", [dy!, boxes!, owners!], settings, image!.shape),
      boxes: () =>
        method === "bilinear" ? emit("CropAndResizeBoxesGrad", [dy!, image!, boxes!, owners!], settings, boxes!.shape) : noGradient(boxes!),
      boxInd: () => noGradient(owners!),
    };
  },
};

/** For the image; the transform itself is not trained. */
const transform: GradientRule = {
  saves: ["image", "transforms"],
  gradient: ([dy], [image, transforms], { interpolation, fillMode, fillValue }) => ({
    image: () => {
      const settings = { interpolation: interpolation as string, fillMode: fillMode as string, fill: fillValue as number };
      return emit("TransformGrad", [dy!, transforms!], settings, image!.shape);
    },
    transforms: () => {
      throw new Error("tf.image.transform has no gradient for its transforms; only for the image");
    },
  }),
};

const rotate: GradientRule = {
  saves: ["image"],
  gradient: ([dy], [image], { radians, center }) => ({
    image: () => {
      const [, h, w] = image!.shape as [number, number, number, number];
      const [centerX, centerY] = tf.backend_util.getImageCenter(center as number | [number, number], h, w);
      return emit("RotateGrad", [dy!], { radians: radians as number, centerX, centerY, fill: 0 }, image!.shape);
    },
  }),
};

/** Rules by name of the operation. */
export const imageGradients: GradientTable = {
  CropAndResize: cropAndResize,
  Transform: transform,
  RotateWithOffset: rotate,
  FlipLeftRight: { gradient: ([dy]) => ({ image: () => tf.reverse(dy!, 2) }) },
};
