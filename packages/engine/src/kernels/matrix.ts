/** Products of matrices. */

import { GeoLearnError } from "@geolearn/core";
import * as tf from "@tensorflow/tfjs";
import type { KernelCall, KernelTable } from "./register.ts";
import { withActivation } from "./activation.ts";

function batchMatMul({ inputs, attributes, backend }: KernelCall): tf.TensorInfo {
  const a = inputs["a"]!;
  const b = inputs["b"]!;
  const transposeA = attributes["transposeA"] === true;
  const transposeB = attributes["transposeB"] === true;
  const rows = a.shape.at(transposeA ? -1 : -2)!;
  const columns = b.shape.at(transposeB ? -2 : -1)!;
  const inner = a.shape.at(transposeA ? -2 : -1)!;
  if (inner !== b.shape.at(transposeB ? -1 : -2)) {
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `matMul of [${a.shape.join(", ")}] and [${b.shape.join(", ")}]: inner sides differ (transposeA ${transposeA}, transposeB ${transposeB})`,
    );
  }
  const batch = tf.broadcast_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  return backend.emit("MatMul", [a, b], { transposeA, transposeB }, [...batch, rows, columns], "float32");
}

function einsum({ inputs, attributes, backend }: KernelCall): tf.TensorInfo {
  const terms = Object.values(inputs);
  const equation = (attributes["equation"] as string).replace(/\s/g, "");
  const { allDims, summedDims, idDims } = tf.backend_util.decodeEinsumEquation(equation, terms.length);
  tf.backend_util.checkEinsumDimSizes(allDims.length, idDims, terms as tf.Tensor[]);
  const sides = new Map<number, number>();
  idDims.forEach((ids, term) => ids.forEach((id, axis) => sides.set(id, terms[term]!.shape[axis]!)));
  const shape = allDims.map((_, id) => id).filter((id) => !summedDims.includes(id)).map((id) => sides.get(id)!); // prettier-ignore
  return backend.emit("Einsum", terms, { equation }, shape, "float32");
}

/** Matrix kernels by tfjs's names. */
export const matrixKernels: KernelTable = {
  BatchMatMul: batchMatMul,
  Einsum: einsum,
  _FusedMatMul: (call) => withActivation(call, batchMatMul(call)),
};
