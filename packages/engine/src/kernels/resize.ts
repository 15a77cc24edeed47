/** Resizing of images and its gradients. */

import type * as tf from "@tensorflow/tfjs";
import type { KernelCall, KernelTable } from "./register.ts";

const settings = (attributes: KernelCall["attributes"]): { alignCorners: boolean; halfPixelCenters: boolean } => ({
  alignCorners: attributes["alignCorners"] === true,
  halfPixelCenters: attributes["halfPixelCenters"] === true,
});

const forward =
  (op: string) =>
  ({ inputs, attributes, backend }: KernelCall): tf.TensorInfo => {
    const images = inputs["images"]!;
    const [height, width] = attributes["size"] as [number, number];
    return backend.emit(op, [images], settings(attributes), [images.shape[0]!, height, width, images.shape[3]!], "float32");
  };

const gradient =
  (op: string) =>
  ({ inputs, attributes, backend }: KernelCall): tf.TensorInfo =>
    backend.emit(op, [inputs["dy"]!], settings(attributes), inputs["images"]!.shape, "float32");

/** Resize kernels by tfjs's names. */
export const resizeKernels: KernelTable = {
  ResizeNearestNeighbor: forward("ResizeNearest"),
  ResizeNearestNeighborGrad: gradient("ResizeNearestGrad"),
  ResizeBilinear: forward("ResizeBilinear"),
  ResizeBilinearGrad: gradient("ResizeBilinearGrad"),
};
