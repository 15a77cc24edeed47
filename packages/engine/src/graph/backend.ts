/** The tfjs backend that records instead of computing. */

import { GeoLearnError } from "@geolearn/core";
import * as tf from "@tensorflow/tfjs";
import { engineInfo } from "../engine-state.ts";
import type { TensorData, TensorType } from "../types.ts";
import { componentsOf } from "./components.ts";
import { checkUse, checkWrite, currentRecording, readWhileRecording } from "./recording.ts";
import { type Attributes, type Value, leaf, operation, sizeOf } from "./value.ts";

/** Name under which the backend is known to tfjs. */
export const BACKEND_NAME = "onnx";

/** Gives values to recorded ones by running their ancestors. */
export interface Materializer {
  /** Whether `runSync` works: it does not in browsers. */
  readonly synchronous: boolean;
  run(values: readonly Value[]): Promise<void>;
  runSync(values: readonly Value[]): void;
}

interface Stored {
  value: Value;
  references: number;
}

/** The number types the engine computes with. */
export function tensorType(dtype: string): TensorType {
  if (dtype === "float32" || dtype === "int32" || dtype === "bool") return dtype;
  throw new GeoLearnError("KERNEL_MISSING", `tensors of type ${dtype} are not supported by the engine, only float32, int32 and bool`);
}

/** Typed array of a dtype from what tfjs hands to a backend. */
export function typedData(values: ArrayLike<number | boolean> | null, size: number, dtype: TensorType): TensorData {
  if (dtype === "float32")
    return values instanceof Float32Array ? values : Float32Array.from((values ?? new Float32Array(size)) as ArrayLike<number>);
  if (dtype === "int32")
    return values instanceof Int32Array ? values : Int32Array.from((values ?? new Int32Array(size)) as ArrayLike<number>);
  return values instanceof Uint8Array ? values : Uint8Array.from((values ?? new Uint8Array(size)) as ArrayLike<number>);
}

/** Operations that may wait outside a recording; more are run, so that a loop without reads stays bounded. */
const MOST_WAITING = 20_000;

/** Records operations of tfjs; values appear when they are read, or when a compiled function runs. */
export class OnnxBackend extends tf.KernelBackend {
  private readonly stored = new Map<object, Stored>();
  private readonly failed = new WeakSet<Value>();
  private waiting = 0;

  constructor(private readonly materializer: Materializer) {
    super();
  }

  override write(values: tf.backend_util.BackendValues, shape: number[], dtype: tf.DataType): object {
    const type = tensorType(dtype);
    const data = typedData(values as ArrayLike<number>, sizeOf(shape), type);
    const recording = currentRecording();
    if (recording === null) return this.store(leaf(data, shape.slice(), type));
    // tfjs makes zeros and ones of full size in JavaScript; one number says the same.
    const uniform = data.length > 1 && data.every((number) => number === data[0]);
    checkWrite(shape, uniform || (data.length === 1 && (data[0] === 0 || data[0] === 1)));
    if (uniform) return this.store(this.record("Fill", [], { value: data[0]! }, shape, type));
    const value = leaf(data, shape.slice(), type);
    recording.allowed.add(value);
    return this.store(value);
  }

  override move(dataId: object, values: tf.backend_util.BackendValues, shape: number[], dtype: tf.DataType, references: number): void {
    const type = tensorType(dtype);
    this.stored.set(dataId, { value: leaf(typedData(values as ArrayLike<number>, sizeOf(shape), type), shape.slice(), type), references });
  }

  /** Keeps a value under a new data id. */
  store(value: Value): object {
    const dataId = {};
    this.stored.set(dataId, { value, references: 1 });
    return dataId;
  }

  /** The value behind a tensor. */
  valueBehind(tensor: { readonly dataId: object }): Value {
    if (!this.stored.has(tensor.dataId) && tf.engine().state.tensorInfo.has(tensor.dataId)) tf.engine().moveData(this, tensor.dataId);
    const entry = this.stored.get(tensor.dataId);
    if (entry === undefined) {
      throw new GeoLearnError("INVALID_ARGUMENT", "the tensor was disposed, or belongs to another tfjs backend", {
        hint: `Make tensors after startEngine(), with tf.getBackend() === "${BACKEND_NAME}".`,
      });
    }
    return entry.value;
  }

  /** Gives a tensor's data id another value (new state of a variable). */
  replace(tensor: { readonly dataId: object }, value: Value): void {
    this.stored.get(tensor.dataId)!.value = value;
  }

  /** Records one operation. */
  emit(op: string, inputs: readonly tf.TensorInfo[], attributes: Attributes, shape: readonly number[], dtype: TensorType): tf.TensorInfo {
    const value = this.record(
      op,
      inputs.map((input) => this.valueBehind(input)),
      attributes,
      shape,
      dtype,
    );
    return { dataId: this.store(value), shape: shape.slice(), dtype };
  }

  /** Another tensor on the same value and shape. */
  alias(tensor: tf.TensorInfo, shape: number[]): tf.TensorInfo {
    this.incRef(tensor.dataId);
    return { dataId: tensor.dataId, shape, dtype: tensor.dtype };
  }

  private record(op: string, inputs: readonly Value[], attributes: Attributes, shape: readonly number[], dtype: TensorType): Value {
    for (const input of inputs) checkUse(input, op);
    const recording = currentRecording();
    if (recording === null) {
      if (++this.waiting > MOST_WAITING) this.flush();
      return operation(op, inputs, attributes, shape.slice(), dtype, 0);
    }
    const key = `${op} ${inputs.map((input) => input.id).join(",")} ${JSON.stringify(attributes)} ${shape.join("x")} ${dtype}`;
    const former = recording.known.get(key);
    if (former !== undefined) return former;
    const value = operation(op, inputs, attributes, shape.slice(), dtype, recording.id);
    recording.known.set(key, value);
    return value;
  }

  /**
   * Runs whatever waits outside a recording: after it, every tensor there is has values. Parts that have nothing to do with each other run
   * for themselves; one that fails is not tried again until somebody reads it.
   */
  flush(): void {
    this.waiting = 0;
    // In a browser results come later; there, what waits runs when it is read.
    if (!this.materializer.synchronous) return;
    const pending = new Set<Value>();
    for (const { value } of this.stored.values())
      if (value.host === null && value.recording === 0 && !this.failed.has(value)) pending.add(value);
    const errors: unknown[] = [];
    for (const part of componentsOf([...pending])) {
      try {
        this.materializer.runSync(part);
      } catch (error) {
        errors.push(error);
        for (const value of part) this.failed.add(value);
      }
    }
    if (errors.length > 0) throw errors[0];
  }

  override async read(dataId: object): Promise<tf.backend_util.BackendValues> {
    const value = this.readable(dataId);
    if (value.host === null) await this.materializer.run(this.pending(value));
    return value.host!.data;
  }

  override readSync(dataId: object): tf.backend_util.BackendValues {
    const value = this.readable(dataId);
    if (value.host === null) this.materializer.runSync(this.pending(value));
    return value.host!.data;
  }

  private readable(dataId: object): Value {
    const value = this.valueBehind({ dataId });
    if (value.host !== null) return value;
    if (currentRecording() !== null) throw readWhileRecording(value);
    checkUse(value, "a read");
    return value;
  }

  /** The value asked for and every variable waiting for the same work: it would otherwise be done again for them. */
  private pending(value: Value): Value[] {
    const values = new Set([value]);
    for (const variable of Object.values(tf.engine().registeredVariables)) {
      const held = this.stored.get(variable.dataId)?.value;
      if (held !== undefined && held.host === null && held.recording === 0) values.add(held);
    }
    return componentsOf([...values])[0]!;
  }

  override refCount(dataId: object): number {
    return this.stored.get(dataId)?.references ?? 0;
  }

  override incRef(dataId: object): void {
    const entry = this.stored.get(dataId);
    if (entry !== undefined) entry.references++;
  }

  decRef(dataId: object): void {
    const entry = this.stored.get(dataId);
    if (entry !== undefined) entry.references--;
  }

  override disposeData(dataId: object, force = false): boolean {
    const entry = this.stored.get(dataId);
    if (entry === undefined) return true;
    entry.references--;
    if (!force && entry.references > 0) return false;
    this.stored.delete(dataId);
    return true;
  }

  override numDataIds(): number {
    return this.stored.size;
  }

  override memory(): { unreliable: boolean } {
    return { unreliable: true };
  }

  override floatPrecision(): 16 | 32 {
    return 32;
  }

  override epsilon(): number {
    return 1e-7;
  }

  override timerAvailable(): boolean {
    return false;
  }

  override dispose(): void {
    this.stored.clear();
  }
}

/** The backend in use. @throws ENGINE_FAILED before `startEngine`. */
export function onnxBackend(): OnnxBackend {
  if (engineInfo()?.device === "tensorflow") {
    throw new GeoLearnError(
      "KERNEL_MISSING",
      "the engine's own operations are recorded for ONNX Runtime; device tensorflow runs tfjs's operations only",
      {
        hint: 'Use `device: "cpu"`, or write the function with operations of tfjs.',
      },
    );
  }
  const backend = tf.engine().registry[BACKEND_NAME];
  if (!(backend instanceof OnnxBackend) || tf.getBackend() !== BACKEND_NAME) {
    throw new GeoLearnError("ENGINE_FAILED", "the engine has not been started", { hint: "Call `await startEngine()` first." });
  }
  return backend;
}
