/** Sessions of the running engine: one queue, a bounded cache for what is read outside compiled functions. */

import { GeoLearnError } from "@geolearn/core";
import type { Materializer } from "../graph/backend.ts";
import { type Plan, lowerPlan, planOf, structureKey } from "../graph/plan.ts";
import type { Value } from "../graph/value.ts";
import type { LoweringTarget } from "../lower/lowering.ts";
import { type OnnxGraph, encodeModel } from "../onnx/encode.ts";
import type { TensorData } from "../types.ts";
import type { ExecutionProvider, NativeSession, NativeSessionOptions, OnnxRuntime, RuntimeTensor } from "./onnxruntime.ts";

const EAGER_SESSIONS = 64;
const NAMES = (count: number): Record<string, null> => Object.fromEntries(Array.from({ length: count }, (_, i) => [`r${i}`, null]));

/**
 * The providers of a session of this graph. ONNX Runtime hands nodes that a provider does not know to the CPU by itself; this names those that
 * the WebGPU provider takes and then refuses to run: max pooling with indices.
 */
function providersFor(graph: OnnxGraph, providers: readonly ExecutionProvider[]): readonly ExecutionProvider[] {
  if (!providers.includes("webgpu")) return providers;
  const forceCpuNodeNames = graph.nodes.filter(({ type, outputs }) => type === "MaxPool" && outputs.length > 1).map(({ name }) => name);
  if (forceCpuNodeNames.length === 0) return providers;
  return providers.map((provider) => (provider === "webgpu" ? { name: provider, forceCpuNodeNames } : provider));
}

/** Runs graphs on one device. */
export class GraphRunner implements Materializer {
  private readonly eager = new Map<string, NativeSession>();
  private queue: Promise<unknown> = Promise.resolve();

  constructor(
    readonly runtime: OnnxRuntime,
    readonly target: LoweringTarget,
    private readonly sessionOptions: NativeSessionOptions,
  ) {}

  /** Builds a session. @throws ENGINE_FAILED when ONNX Runtime refuses the graph. */
  createSession(graph: OnnxGraph, overrides: Partial<NativeSessionOptions> = {}): NativeSession {
    const executionProviders = providersFor(graph, this.sessionOptions.executionProviders);
    try {
      return this.runtime.createSession(encodeModel(graph), { ...this.sessionOptions, executionProviders, ...overrides });
    } catch (cause) {
      throw new GeoLearnError("ENGINE_FAILED", `ONNX Runtime refused a graph of ${graph.nodes.length} nodes: ${String(cause)}`, { cause });
    }
  }

  /** The tensor fed for a value that has values. */
  feed(value: Value): RuntimeTensor {
    const host = value.host!;
    host.feed ??= this.runtime.createTensor(value.dtype, host.data, value.shape);
    return host.feed as RuntimeTensor;
  }

  /** Runs one task after another: a native run must not meet another that changes the same variables. */
  enqueue<T>(task: () => T | Promise<T>): Promise<T> {
    const turn = this.queue.then(() => new Promise<void>((resolve) => setImmediate(resolve))).then(task);
    this.queue = turn.catch(() => undefined);
    return turn;
  }

  /** Gives values to pending ones. */
  run(values: readonly Value[]): Promise<void> {
    return this.enqueue(() => this.runSync(values));
  }

  /** Gives values to pending ones, at once. */
  runSync(values: readonly Value[]): void {
    const wanted = [...new Set(values)].filter((value) => value.host === null);
    if (wanted.length === 0) return;
    const plan = planOf(wanted, (value) => value.host !== null);
    const session = this.eagerSession(plan);
    const feeds: Record<string, RuntimeTensor> = {};
    plan.leaves.forEach((value, i) => (feeds[`l${i}`] = this.feed(value)));
    const results = this.execute(session, feeds, wanted.length);
    wanted.forEach((value, i) => {
      value.host = { data: results[i]! };
      value.inputs = [];
    });
  }

  /** Runs a session whose results are named `r0`, `r1`...; each comes in memory of its own. */
  execute(session: NativeSession, feeds: Readonly<Record<string, RuntimeTensor>>, count: number): TensorData[] {
    let results: Record<string, RuntimeTensor>;
    try {
      results = session.run(feeds, NAMES(count), {});
    } catch (cause) {
      throw new GeoLearnError("ENGINE_FAILED", `ONNX Runtime failed to run a graph: ${String(cause)}`, { cause });
    }
    return Array.from({ length: count }, (_, i) => results[`r${i}`]!.data);
  }

  private eagerSession(plan: Plan): NativeSession {
    const key = structureKey(plan);
    const former = this.eager.get(key);
    if (former !== undefined) {
      this.eager.delete(key);
      this.eager.set(key, former);
      return former;
    }
    const session = this.createSession(lowerPlan(plan, this.target, (_, i) => `l${i}`));
    this.eager.set(key, session);
    if (this.eager.size > EAGER_SESSIONS) {
      const [oldest, released] = this.eager.entries().next().value!;
      this.eager.delete(oldest);
      released.dispose();
    }
    return session;
  }

  /** Number of cached sessions. */
  get cachedSessions(): number {
    return this.eager.size;
  }

  /** Frees every cached session. */
  dispose(): void {
    for (const session of this.eager.values()) session.dispose();
    this.eager.clear();
  }
}
