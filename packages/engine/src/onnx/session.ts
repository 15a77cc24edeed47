/** Running an ONNX model of others on the engine's device. */

import { GeoLearnError } from "@geolearn/core";
import type { RuntimeTensor } from "../runtime/runtime.ts";
import type { GraphRunner } from "../runtime/session.ts";
import type { HostTensor, TensorType } from "../types.ts";
import type { OnnxModel, OnnxValueInfo } from "./decode.ts";
import { bounded } from "./tensor.ts";
import { halfToFloat } from "./half.ts";

/** An ONNX model ready to run. */
export interface OnnxSession {
  readonly inputs: readonly OnnxValueInfo[];
  readonly outputs: readonly OnnxValueInfo[];
  /**
   * Runs the model. Inputs of 64-bit and 8-bit whole numbers are fed as int32 or bool and converted; results come as float32, int32 or bool.
   *
   * @throws INVALID_ARGUMENT for a missing input or one of another type or shape; ENGINE_FAILED when ONNX Runtime fails
   */
  run(inputs: Readonly<Record<string, HostTensor>>): Promise<Record<string, HostTensor>>;
  /** Frees the session. Later runs fail. */
  dispose(): Promise<void>;
}

/** A session of a checked model on a runner. @throws ENGINE_FAILED when ONNX Runtime refuses the model */
export async function sessionOn(runner: GraphRunner, model: OnnxModel): Promise<OnnxSession> {
  const { source, graph } = model;
  const session = await runner.enqueue(() => runner.loadModel(model));
  const make: MakeTensor = (type, data, shape) => runner.runtime.createTensor(type, data, shape);
  const names = graph.outputs.map(({ name }) => name);
  let disposed = false;
  const runNow = async (feeds: Record<string, RuntimeTensor>): Promise<Record<string, HostTensor>> => {
    if (disposed) throw new GeoLearnError("INVALID_ARGUMENT", `the session of ${source} was disposed`);
    let results: Readonly<Record<string, RuntimeTensor>>;
    try {
      results = await session.run(feeds, names);
    } catch (cause) {
      throw new GeoLearnError("ENGINE_FAILED", `ONNX Runtime failed to run ${source}: ${String(cause)}`, { cause });
    }
    return Object.fromEntries(names.map((name) => [name, hostTensor(name, results[name]!)]));
  };
  return {
    inputs: graph.inputs,
    outputs: graph.outputs,
    async run(inputs) {
      const feeds = Object.fromEntries(graph.inputs.map((info) => [info.name, fedTensor(info, inputs[info.name], make)]));
      return runner.enqueue(() => runNow(feeds));
    },
    dispose: () =>
      runner.enqueue(async () => {
        if (!disposed) await session.dispose();
        disposed = true;
      }),
  };
}

type MakeTensor = (dtype: TensorType, data: HostTensor["data"], shape: readonly number[]) => RuntimeTensor;

/** Arrays ONNX Runtime takes for each type of input that can be fed, from numbers. */
const FED: Readonly<Record<string, (numbers: HostTensor["data"]) => unknown>> = {
  float32: (numbers) => (numbers instanceof Float32Array ? numbers : Float32Array.from(numbers)),
  float64: (numbers) => Float64Array.from(numbers),
  int32: (numbers) => (numbers instanceof Int32Array ? numbers : Int32Array.from(numbers)),
  int64: (numbers) => BigInt64Array.from(numbers as ArrayLike<number> as Iterable<number> & ArrayLike<number>, BigInt),
  uint8: (numbers) => Uint8Array.from(numbers),
  bool: (numbers) => Uint8Array.from(numbers),
};

function fedTensor({ name, type, dims }: OnnxValueInfo, given: HostTensor | undefined, make: MakeTensor): RuntimeTensor {
  const expected = `${type ?? "no tensor"} [${(dims ?? []).map((side) => side ?? "?").join(", ")}]`;
  if (given === undefined) throw new GeoLearnError("INVALID_ARGUMENT", `input "${name}" is missing; expected ${expected}`);
  const fits =
    dims === null || (dims.length === given.shape.length && dims.every((side, i) => typeof side !== "number" || side === given.shape[i]));
  const convert = FED[type ?? ""];
  if (!fits || convert === undefined) {
    throw new GeoLearnError("INVALID_ARGUMENT", `input "${name}" is ${given.dtype} [${given.shape.join(", ")}]; expected ${expected}`, {
      hint: convert === undefined ? "Export the network with float32 inputs." : "Give the input in the model's shape.",
    });
  }
  return make(type as TensorType, convert(given.data) as HostTensor["data"], given.shape);
}

function hostTensor(name: string, { data, dims }: RuntimeTensor): HostTensor {
  const shape = [...dims];
  const raw = data as unknown;
  if (raw instanceof Float32Array) return { data: raw, shape, dtype: "float32" };
  if (raw instanceof Int32Array) return { data: raw, shape, dtype: "int32" };
  if (raw instanceof Float64Array) return { data: Float32Array.from(raw), shape, dtype: "float32" };
  // Half floats come as their bits where JavaScript has no array for them.
  if (raw instanceof Uint16Array) return { data: Float32Array.from(raw, halfToFloat), shape, dtype: "float32" };
  if (raw instanceof BigInt64Array || raw instanceof BigUint64Array)
    return { data: Int32Array.from(raw as unknown as ArrayLike<bigint>, (value) => bounded(Number(value))), shape, dtype: "int32" };
  if (raw instanceof Uint8Array || raw instanceof Int8Array || raw instanceof Int16Array || raw instanceof Uint32Array)
    return { data: Int32Array.from(raw, bounded), shape, dtype: "int32" };
  throw new GeoLearnError("UNSUPPORTED_FORMAT", `output "${name}" holds values that are no numbers`, {
    hint: "Export the network with numeric outputs.",
  });
}
