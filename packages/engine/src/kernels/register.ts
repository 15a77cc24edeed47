/** Kernels of tfjs, each recording one operation (or a few). */

import * as tf from "@tensorflow/tfjs";
import { BACKEND_NAME, type OnnxBackend } from "../graph/backend.ts";
import { arrayKernels } from "./arrays.ts";
import { convolutionKernels } from "./convolution.ts";
import { elementwiseKernels } from "./elementwise.ts";
import { indexingKernels } from "./indexing.ts";
import { matrixKernels } from "./matrix.ts";
import { poolKernels } from "./pool.ts";
import { reductionKernels } from "./reduction.ts";
import { resizeKernels } from "./resize.ts";

/** What a kernel gets. */
export interface KernelCall {
  readonly inputs: Readonly<Record<string, tf.TensorInfo>>;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly backend: OnnxBackend;
}

/** A kernel of the engine. */
export type Kernel = (call: KernelCall) => tf.TensorInfo | tf.TensorInfo[];

/** Kernels by tfjs's names. */
export type KernelTable = Readonly<Record<string, Kernel>>;

let registered = false;

/** Tells tfjs about every kernel, once. */
export function registerKernels(): void {
  if (registered) return;
  registered = true;
  const tables: KernelTable[] = [
    elementwiseKernels,
    reductionKernels,
    arrayKernels,
    indexingKernels,
    matrixKernels,
    convolutionKernels,
    poolKernels,
    resizeKernels,
  ];
  for (const [kernelName, kernel] of tables.flatMap((table) => Object.entries(table))) {
    tf.registerKernel({
      kernelName,
      backendName: BACKEND_NAME,
      kernelFunc: ({ inputs, attrs, backend }) =>
        kernel({ inputs: inputs as Record<string, tf.TensorInfo>, attributes: attrs ?? {}, backend: backend as OnnxBackend }),
    });
  }
}
