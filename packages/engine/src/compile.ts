/** Functions of tensors, recorded once and then only fed and run. */

import { GeoLearnError } from "@geolearn/core";
import * as tf from "@tensorflow/tfjs";
import { runningEngine } from "./engine-state.ts";
import { onnxBackend, tensorType } from "./graph/backend.ts";
import { type Plan, lowerPlan, planOf } from "./graph/plan.ts";
import { RUNS, loopGraph, loopInput } from "./graph/loop.ts";
import { currentRecording, withRecording } from "./graph/recording.ts";
import { type Value, leaf, operation, sizeOf } from "./graph/value.ts";
import { withoutShapes } from "./lower/without-copies.ts";
import type { OnnxGraph } from "./onnx/encode.ts";
import { type Eventually, after } from "./runtime/eventually.ts";
import type { RuntimeSession, RuntimeTensor } from "./runtime/runtime.ts";
import { type GraphRunner } from "./runtime/session.ts";
import type { HostTensor, TensorData, TensorSpec, TensorType } from "./types.ts";

/** Named tensors. */
export type TensorMap = Record<string, tf.Tensor>;

/** How a function is compiled. */
export interface CompileOptions {
  /** Shape and type of every input; a scalar has shape `[]`. */
  readonly inputs: Readonly<Record<string, TensorSpec>>;
  /**
   * `"state"` (default): variables are read anew at each run and may be assigned inside. `"constant"`: their values are written into the
   * graph, which ONNX Runtime can then optimise further (inference); when a variable changed since, the graph is built again.
   */
  readonly variables?: "state" | "constant";
  /**
   * Runs the function several times a call. Every input has the runs as an additional first side, outputs come stacked in the same way, and what
   * the function assigns passes from run to run without leaving the runtime: worth it when there is much of it. Each call chooses its
   * number of runs; the results are those of as many calls one after another. @defaultValue false
   */
  readonly repeated?: boolean;
}

/** A compiled function. */
export interface CompiledFunction {
  readonly inputs: Readonly<Record<string, TensorSpec>>;
  readonly outputs: Readonly<Record<string, TensorSpec>>;
  /** Variables the function assigns. */
  readonly assigned: readonly tf.Variable[];
  /**
   * Runs it. Afterwards assigned variables hold their new values. The inputs may be reused once the promise has settled. When compiled
   * `repeated`, inputs and outputs have the runs as first side.
   */
  run(inputs: Readonly<Record<string, TensorData | number>>): Promise<Record<string, HostTensor>>;
  /** Frees the session. Later runs fail. */
  dispose(): Promise<void>;
}

/** What a function did while it was watched. */
export interface Recorded {
  readonly plan: Plan;
  readonly inputs: ReadonlyMap<Value, string>;
  readonly variables: ReadonlyMap<Value, tf.Variable>;
  readonly outputs: readonly { readonly name: string; readonly value: Value }[];
  readonly assigned: readonly { readonly variable: tf.Variable; readonly value: Value }[];
}

/**
 * Records `fn` once for the given inputs and returns it as a function of typed arrays. `fn` sees tensors without values: it may use any
 * operation and gradient of tfjs, read variables and assign them; it may not read values, draw random numbers in JavaScript
 * or bring in host values (see {@link constant}).
 *
 * @throws RECORDING_READ, RECORDING_CONSTANT, KERNEL_MISSING, INVALID_ARGUMENT
 * @example
 * const step = compile(({ x, lr }) => ({ loss: train(x, lr) }), { inputs: { x: { shape: [4, 64, 64, 3], dtype: "float32" }, lr: { shape: [], dtype: "float32" } } });
 * const { loss } = await step.run({ x: pixels, lr: 1e-3 });
 */
export function compile(fn: (inputs: TensorMap) => TensorMap, options: CompileOptions): CompiledFunction {
  const { runner, checkTfjs } = runningEngine();
  checkTfjs();
  if (runner === null) return compileDirect(fn, options);
  return new OnnxFunction(runner, record(fn, options), options);
}

/** Runs a function on tensors without values and notes what it asks for. */
export function record(fn: (inputs: TensorMap) => TensorMap, { inputs }: CompileOptions): Recorded {
  if (currentRecording() !== null) {
    throw new GeoLearnError("INVALID_ARGUMENT", "compile() was called inside a function that is being compiled", {
      hint: "Call the plain function there instead.",
    });
  }
  const backend = onnxBackend();
  const before = new Set(Object.keys(tf.engine().registeredVariables));
  const held = new Map<tf.Variable, Value>();
  const variables = new Map<Value, tf.Variable>();
  const inputNames = new Map<Value, string>();
  return withRecording(variables, (recording) => {
    tf.engine().startScope();
    try {
      holdVariables(held, variables, recording.id);
      const tensors: TensorMap = {};
      for (const [name, spec] of Object.entries(inputs)) {
        const value = operation("input", [], {}, spec.shape.slice(), spec.dtype, recording.id);
        inputNames.set(value, name);
        tensors[name] = tf
          .engine()
          .makeTensorFromTensorInfo({ dataId: backend.store(value), shape: spec.shape.slice(), dtype: spec.dtype });
      }
      const results = fn(tensors);
      refuseNewVariables(before);
      const outputs = Object.entries(results).map(([name, tensor]) => ({ name, value: backend.valueBehind(tensor) }));
      const assigned = [...variables]
        .map(([placeholder, variable]) => ({ placeholder, variable, value: backend.valueBehind(variable) }))
        .filter(({ placeholder, value }) => value !== placeholder);
      const wanted = [...outputs, ...assigned].map(({ value }) => value);
      const plan = planOf(wanted, (value) => value.op === "input" || value.host !== null || variables.has(value));
      return { plan, inputs: inputNames, variables, outputs, assigned };
    } finally {
      releaseVariables(held, variables);
      tf.engine().endScope();
    }
  });
}

/** While recording, variables hold placeholders: the recorded graph must not keep their present values alive. */
function holdVariables(held: Map<tf.Variable, Value>, variables: Map<Value, tf.Variable>, recording: number): void {
  const backend = onnxBackend();
  for (const variable of Object.values(tf.engine().registeredVariables)) {
    if (!tf.engine().state.tensorInfo.has(variable.dataId)) continue;
    held.set(variable, backend.valueBehind(variable));
    const placeholder = operation("variable", [], {}, variable.shape.slice(), tensorType(variable.dtype), recording);
    variables.set(placeholder, variable);
    backend.replace(variable, placeholder);
  }
}

/** Gives variables back what they held, also those assigned while recording. */
function releaseVariables(held: ReadonlyMap<tf.Variable, Value>, variables: ReadonlyMap<Value, tf.Variable>): void {
  const backend = onnxBackend();
  for (const [placeholder, variable] of variables) {
    const value = held.get(variable)!;
    if (backend.valueBehind(variable) === placeholder) backend.replace(variable, value);
    else {
      const own = tf.engine().makeTensorFromTensorInfo({ dataId: backend.store(value), shape: value.shape.slice(), dtype: value.dtype });
      variable.assign(own);
      own.dispose();
    }
  }
}

function refuseNewVariables(before: ReadonlySet<string>): void {
  const created = Object.values(tf.engine().registeredVariables).filter((variable) => !before.has(variable.name));
  if (created.length === 0) return;
  const names = created.map((variable) => variable.name);
  for (const variable of created) variable.dispose();
  throw new GeoLearnError("RECORDING_CONSTANT", `variables were created while recording: ${names.join(", ")}`, {
    hint: "Create variables, layers and optimizer slots before compile(); call a layer once on a placeholder shape to build it.",
    data: { variables: names },
  });
}

class OnnxFunction implements CompiledFunction {
  readonly inputs: Readonly<Record<string, TensorSpec>>;
  readonly outputs: Readonly<Record<string, TensorSpec>>;
  readonly assigned: readonly tf.Variable[];
  private session: RuntimeSession | null = null;
  private disposed = false;
  /** Variable values inside the graph, when they are constants. */
  private embedded: Value[] = [];
  private readonly state: { readonly variable: tf.Variable; readonly name: string }[] = [];
  private readonly leafNames = new Map<Value, string | null>();
  /** What is assigned, under the name by which it is read. */
  private readonly carried: readonly { readonly name: string; readonly value: Value }[];

  constructor(
    private readonly runner: GraphRunner,
    private readonly recorded: Recorded,
    private readonly options: CompileOptions,
  ) {
    this.inputs = options.inputs;
    this.outputs = Object.fromEntries(recorded.outputs.map(({ name, value }) => [name, { shape: value.shape, dtype: value.dtype }]));
    this.assigned = recorded.assigned.map(({ variable }) => variable);
    if (this.folds && this.assigned.length > 0) {
      throw new GeoLearnError(
        "INVALID_ARGUMENT",
        `the function assigns ${this.assigned[0]!.name}, but its variables are compiled as constants`,
        {
          hint: 'Compile it with `variables: "state"`.',
        },
      );
    }
    recorded.plan.leaves.forEach((value, i) => {
      const input = recorded.inputs.get(value);
      const variable = recorded.variables.get(value);
      if (input !== undefined) this.leafNames.set(value, `in_${input}`);
      else if (variable !== undefined) {
        this.state.push({ variable, name: `s${i}` });
        this.leafNames.set(value, this.folds ? null : `s${i}`);
      } else this.leafNames.set(value, null);
    });
    this.carried = recorded.assigned.map(({ variable, value }, i) => {
      const read = this.state.find((one) => one.variable === variable);
      if (read === undefined && this.repeated) this.state.push({ variable, name: `unread${i}` });
      return { name: read?.name ?? `unread${i}`, value };
    });
  }

  private get repeated(): boolean {
    return this.options.repeated === true;
  }

  private get folds(): boolean {
    return this.options.variables === "constant";
  }

  async run(inputs: Readonly<Record<string, TensorData | number>>): Promise<Record<string, HostTensor>> {
    const runs = this.repeated ? countRuns(this.inputs, inputs) : null;
    const feeds = this.inputFeeds(inputs, runs);
    return this.runner.enqueue(() => this.runNow(feeds, runs));
  }

  private runNow(feeds: Record<string, RuntimeTensor>, runs: number | null): Eventually<Record<string, HostTensor>> {
    if (this.disposed) throw new GeoLearnError("INVALID_ARGUMENT", "the compiled function was disposed");
    const backend = onnxBackend();
    const held = this.state.map(({ variable }) => backend.valueBehind(variable));
    const { outputs, assigned } = this.recorded;
    const session = after(this.runner.settle(held), () => this.currentSession(held));
    const results = after(session, (ready) => {
      if (!this.folds) this.state.forEach(({ name }, i) => (feeds[this.stateInput(name)] = this.runner.feed(held[i]!)));
      return this.runner.execute(ready, feeds, outputs.length + assigned.length);
    });
    return after(results, (data) => {
      assigned.forEach(({ variable, value }, i) => backend.replace(variable, leaf(data[outputs.length + i]!, value.shape, value.dtype)));
      return Object.fromEntries(
        outputs.map(({ name, value }, i) => [name, { data: data[i]!, shape: stacked(value.shape, runs), dtype: value.dtype }]),
      );
    });
  }

  private currentSession(held: readonly Value[]): Eventually<RuntimeSession> {
    const stale = this.session !== null && this.folds && held.some((value, i) => value !== this.embedded[i]);
    return after(stale ? this.release() : undefined, () => {
      if (this.session !== null) return this.session;
      return after(this.runner.createSession(this.graph(held), this.folds), (session) => {
        this.session = session;
        this.embedded = this.folds ? held.slice() : [];
        return session;
      });
    });
  }

  private release(): Eventually<void> {
    const { session } = this;
    this.session = null;
    this.embedded = [];
    return session?.dispose();
  }

  private graph(held: readonly Value[]): OnnxGraph {
    const { plan, variables } = this.recorded;
    const present = new Map(this.state.map(({ variable }, i) => [variable, held[i]!]));
    const body = lowerPlan(
      plan,
      this.runner.target,
      (value) => this.leafNames.get(value) ?? null,
      (value) => (variables.has(value) ? present.get(variables.get(value)!)! : value),
      this.repeated ? (i) => `body_r${i}` : undefined,
    );
    return this.repeated ? this.loop(body) : withoutShapes(body);
  }

  private loop(body: OnnxGraph): OnnxGraph {
    const { outputs } = this.recorded;
    return loopGraph({
      body,
      inputs: this.usedInputs().map(([name]) => `in_${name}`),
      carried: this.carried.map(({ name, value: { dtype, shape } }, i) => ({
        ...{ read: name, written: `body_r${outputs.length + i}` },
        port: { type: dtype, dims: shape },
      })),
      collected: outputs.map((_, i) => `body_r${i}`),
    });
  }

  /** Name of the input that takes a piece of state. */
  private stateInput(name: string): string {
    return this.repeated && this.carried.some((one) => one.name === name) ? loopInput(name) : name;
  }

  private usedInputs(): [string, TensorSpec][] {
    const used = new Set(this.recorded.plan.leaves.map((value) => this.recorded.inputs.get(value)));
    return Object.entries(this.inputs).filter(([name]) => used.has(name));
  }

  private inputFeeds(inputs: Readonly<Record<string, TensorData | number>>, runs: number | null): Record<string, RuntimeTensor> {
    const feeds: Record<string, RuntimeTensor> = {};
    const { runtime } = this.runner;
    if (runs !== null) feeds[RUNS] = runtime.createTensor("int32", Int32Array.of(runs), []);
    const used = new Set(this.usedInputs().map(([name]) => name));
    for (const [name, { shape, dtype }] of Object.entries(this.inputs)) {
      const spec = { shape: stacked(shape, runs), dtype };
      const data = checkedInput(name, spec, inputs[name]);
      if (used.has(name)) feeds[runs === null ? `in_${name}` : loopInput(`in_${name}`)] = runtime.createTensor(dtype, data, spec.shape);
    }
    return feeds;
  }

  async dispose(): Promise<void> {
    await this.runner.enqueue(() => {
      this.disposed = true;
      return this.release();
    });
  }
}

/** The shape of something that is there once, or once for each run. */
const stacked = (shape: readonly number[], runs: number | null): readonly number[] => (runs === null ? shape : [runs, ...shape]);

/** How many runs the inputs are for. */
function countRuns(specs: Readonly<Record<string, TensorSpec>>, inputs: Readonly<Record<string, TensorData | number>>): number {
  const [first] = Object.entries(specs);
  if (first === undefined)
    throw new GeoLearnError("INVALID_ARGUMENT", "a repeated function needs an input: its length tells the number of runs");
  const [name, { shape }] = first;
  const given = inputs[name];
  const runs = (given === undefined || typeof given === "number" ? 1 : given.length) / sizeOf(shape);
  if (Number.isInteger(runs) && runs >= 1) return runs;
  throw new GeoLearnError(
    "INVALID_ARGUMENT",
    `input ${name} has ${typeof given === "object" ? given.length : 1} values; expected one or more times ${sizeOf(shape)}, for [runs, ${shape.join(", ")}]`,
  );
}

const ARRAYS = { float32: Float32Array, int32: Int32Array, bool: Uint8Array } as const;

function checkedInput(name: string, spec: TensorSpec, given: TensorData | number | undefined): TensorData {
  const size = sizeOf(spec.shape);
  const expected = `${spec.dtype} [${spec.shape.join(", ")}], ${size} values`;
  if (given === undefined) throw new GeoLearnError("INVALID_ARGUMENT", `input ${name} is missing; expected ${expected}`);
  if (typeof given === "number") {
    if (size !== 1) throw new GeoLearnError("INVALID_ARGUMENT", `input ${name} is one number; expected ${expected}`);
    return ARRAYS[spec.dtype].of(given);
  }
  if (!(given instanceof ARRAYS[spec.dtype]) || given.length !== size) {
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `input ${name} is a ${given.constructor.name} of ${given.length} values; expected ${expected}`,
    );
  }
  return given;
}

/** With tfjs-node there is nothing to record: the function runs on its tensors. */
function compileDirect(fn: (inputs: TensorMap) => TensorMap, { inputs, repeated = false }: CompileOptions): CompiledFunction {
  const outputs: Record<string, TensorSpec> = {};
  const once = compileOnce(fn, inputs, outputs);
  if (!repeated) return once;
  return {
    ...once,
    async run(given) {
      const runs = countRuns(inputs, given);
      const results: Record<string, HostTensor>[] = [];
      for (let run = 0; run < runs; run++) {
        const pieces = Object.entries(inputs).map(([name, spec]) => {
          const size = sizeOf(spec.shape);
          return [name, checkedInput(name, { ...spec, shape: stacked(spec.shape, runs) }, given[name]).slice(run * size, (run + 1) * size)];
        });
        results.push(await once.run(Object.fromEntries(pieces) as Record<string, TensorData>));
      }
      return Object.fromEntries(Object.keys(results[0]!).map((name) => [name, stackTensors(results.map((result) => result[name]!))]));
    },
  };
}

function stackTensors(tensors: readonly HostTensor[]): HostTensor {
  const { shape, dtype } = tensors[0]!;
  const size = sizeOf(shape);
  const data = new ARRAYS[dtype](tensors.length * size);
  tensors.forEach((tensor, i) => data.set(tensor.data, i * size));
  return { data, shape: [tensors.length, ...shape], dtype };
}

function compileOnce(
  fn: (inputs: TensorMap) => TensorMap,
  inputs: CompileOptions["inputs"],
  outputs: Record<string, TensorSpec>,
): CompiledFunction {
  return {
    inputs,
    outputs,
    assigned: [],
    async run(given) {
      const results = tf.tidy(() => {
        const tensors = Object.fromEntries(
          Object.entries(inputs).map(([name, spec]) => [
            name,
            tf.tensor(checkedInput(name, spec, given[name]), spec.shape.slice(), spec.dtype),
          ]),
        );
        return fn(tensors);
      });
      const read = async ([name, tensor]: [string, tf.Tensor]): Promise<[string, HostTensor]> => {
        const data = (await tensor.data()) as TensorData;
        const dtype = tensor.dtype as TensorType;
        outputs[name] = { shape: tensor.shape, dtype };
        tensor.dispose();
        return [name, { data, shape: tensor.shape, dtype }];
      };
      return Object.fromEntries(await Promise.all(Object.entries(results).map(read)));
    },
    dispose: () => Promise.resolve(),
  };
}
