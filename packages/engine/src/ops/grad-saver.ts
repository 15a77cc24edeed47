/** The function a custom gradient keeps tensors with for its backward pass; tfjs has the type but does not export it. */

import type * as tf from "@tensorflow/tfjs";

export type GradSaver = (tensors: tf.Tensor[]) => void;
