/** Kernels of tfjs, each recording one operation (or a few). */

import { GeoLearnError } from "@geolearn/core";
import * as tf from "@tensorflow/tfjs";
import { BACKEND_NAME, type OnnxBackend } from "../graph/backend.ts";
import { arrayKernels } from "./arrays.ts";
import { registerGradients } from "../gradients/register.ts";
import { adaptLayers } from "../layers/adapt.ts";
import { convolutionKernels } from "./convolution.ts";
import { detectionKernels } from "./detection.ts";
import { elementwiseKernels } from "./elementwise.ts";
import { hostKernels } from "./host.ts";
import { imageKernels } from "./images.ts";
import { indexingKernels } from "./indexing.ts";
import { matrixKernels } from "./matrix.ts";
import { poolKernels } from "./pool.ts";
import { randomKernels } from "./random.ts";
import { reductionKernels } from "./reduction.ts";
import { resizeKernels } from "./resize.ts";
import { volumeKernels } from "./volumes.ts";

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

/** Names of all kernels tfjs may ask for; it exports each as a string constant of that name. */
function namesOfTfjs(): string[] {
  return Object.entries(tf as Record<string, unknown>)
    .filter(([name, value]) => typeof value === "string" && /^_?[A-Z]/.test(name) && name.replace(/^_/, "") === value.replace(/^_/, ""))
    .map(([, value]) => value as string);
}

/** Ways on where there is no kernel. */
const HINTS: readonly (readonly [RegExp, string])[] = [
  [
    /^(Complex|ComplexAbs|Real|Imag|I?FFT)$/,
    "Keep real and imaginary parts as two tensors, or compute on tfjs's cpu backend before or after.",
  ],
  [/^(String|StaticRegex)/, "Strings are for JavaScript: turn them into numbers before they become tensors."],
  [/^Ragged/, "Pad rows to one length and keep their lengths beside them."],
  [/^Draw$/, "Read the tensor with data() and draw its values."],
];

const missing =
  (name: string): Kernel =>
  () => {
    throw new GeoLearnError("KERNEL_MISSING", `the engine has no kernel ${name}`, {
      hint:
        HINTS.find(([pattern]) => pattern.test(name))?.[1] ??
        "Write it with other operations, or compute it in JavaScript outside compiled functions.",
      data: { kernel: name },
    });
  };

/** tfjs has a way of its own for these when the backend has no kernel. */
const LEFT_TO_TFJS: ReadonlySet<string> = new Set(["FromPixels"]);

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
    volumeKernels,
    imageKernels,
    detectionKernels,
    randomKernels,
    hostKernels,
  ];
  const kernels = new Map(tables.flatMap((table) => Object.entries(table)));
  for (const name of namesOfTfjs()) if (!kernels.has(name) && !LEFT_TO_TFJS.has(name)) kernels.set(name, missing(name));
  for (const [kernelName, kernel] of kernels) {
    tf.registerKernel({
      kernelName,
      backendName: BACKEND_NAME,
      kernelFunc: ({ inputs, attrs, backend }) =>
        kernel({ inputs: inputs as Record<string, tf.TensorInfo>, attributes: attrs ?? {}, backend: backend as OnnxBackend }),
    });
  }
  registerGradients();
  adaptLayers();
}
