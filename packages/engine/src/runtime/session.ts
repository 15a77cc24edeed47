/** Sessions of the running engine: one queue, a bounded cache for what is read outside compiled functions. */

import { GeoLearnError } from "@geolearn/core";
import type { Materializer } from "../graph/backend.ts";
import { type Plan, lowerPlan, planOf, structureKey } from "../graph/plan.ts";
import type { Value } from "../graph/value.ts";
import type { LoweringTarget } from "../lower/lowering.ts";
import { withoutShapes } from "../lower/without-copies.ts";
import type { OnnxModel } from "../onnx/decode.ts";
import { type OnnxGraph, type OnnxNode, encodeModel } from "../onnx/encode.ts";
import type { TensorData } from "../types.ts";
import { type Eventually, after } from "./eventually.ts";
import type { ExecutionProvider, OnnxRuntime, RuntimeSession, RuntimeTensor, SessionOptions } from "./runtime.ts";

const EAGER_SESSIONS = 64;

/** A message channel as browsers have it. */
interface Channel {
  readonly port1: { onmessage: (() => void) | null; close(): void };
  readonly port2: { postMessage(message: null): void };
}

/** Lets what waits (messages, timers, drawing) have its turn. */
const breathe = (): Promise<void> =>
  new Promise((resolve) => {
    if (typeof setImmediate === "function") {
      setImmediate(resolve);
      return;
    }
    const { port1, port2 } = new MessageChannel() as unknown as Channel;
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });

/**
 * The providers of a session of this graph. ONNX Runtime hands nodes that a provider does not know to the CPU by itself; this names those that
 * the WebGPU provider takes and then refuses to run: max pooling with indices.
 */
function providersFor(
  graph: Pick<OnnxGraph | OnnxModel["graph"], "nodes">,
  providers: readonly ExecutionProvider[],
): readonly ExecutionProvider[] {
  if (!providers.includes("webgpu")) return providers;
  const forceCpuNodeNames = graph.nodes.filter(({ type, outputs }) => type === "MaxPool" && outputs.length > 1).map(({ name }) => name);
  if (forceCpuNodeNames.length === 0) return providers;
  return providers.map((provider) => (provider === "webgpu" ? { name: provider, forceCpuNodeNames } : provider));
}

/** The nodes of a graph, those of repeated graphs inside it too. */
function everyNode({ nodes }: OnnxGraph): OnnxNode[] {
  return nodes.flatMap((node) => {
    const { body } = node.attributes;
    return typeof body === "object" && "nodes" in body ? [node, ...everyNode(body)] : [node];
  });
}

/** Runs graphs on one device. */
export class GraphRunner implements Materializer {
  private readonly eager = new Map<string, RuntimeSession>();
  private queue: Promise<unknown> = Promise.resolve();

  constructor(
    readonly runtime: OnnxRuntime,
    readonly target: LoweringTarget,
    private readonly sessionOptions: SessionOptions,
    /** Tries the device again after a failure: why it is lost, or null. */
    private readonly lost: () => Promise<string | null> = () => Promise.resolve(null),
  ) {}

  /**
   * Builds a session. A graph whose weights are constants is optimised by ONNX Runtime; one that is fed its weights runs as fast as it was
   * written on the CPU, and optimising it would take most of the time to build it.
   *
   * @throws ENGINE_FAILED when ONNX Runtime refuses the graph
   */
  createSession(graph: OnnxGraph, constantWeights = false): Eventually<RuntimeSession> {
    const nodes = everyNode(graph);
    const { executionProviders: providers, graphOptimizationLevel } = this.sessionOptions;
    const executionProviders = providersFor({ nodes }, providers);
    const level = constantWeights || providers[0] !== "cpu" ? graphOptimizationLevel : "disabled";
    return failing(
      () => this.runtime.createSession(encodeModel(graph), { ...this.sessionOptions, executionProviders, graphOptimizationLevel: level }),
      (cause) => new GeoLearnError("ENGINE_FAILED", `ONNX Runtime refused a graph of ${nodes.length} nodes: ${String(cause)}`, { cause }),
    );
  }

  /** Builds a session of a checked model file. @throws ENGINE_FAILED when ONNX Runtime refuses it */
  loadModel({ bytes, source, graph }: Pick<OnnxModel, "bytes" | "source" | "graph">): Eventually<RuntimeSession> {
    const executionProviders = providersFor(graph, this.sessionOptions.executionProviders);
    return failing(
      () => this.runtime.createSession(bytes, { ...this.sessionOptions, executionProviders }),
      (cause) => new GeoLearnError("ENGINE_FAILED", `ONNX Runtime refused ${source}: ${String(cause)}`, { cause }),
    );
  }

  /** The tensor fed for a value that has values. */
  feed(value: Value): RuntimeTensor {
    const host = value.host!;
    host.feed ??= this.runtime.createTensor(value.dtype, host.data, value.shape);
    return host.feed as RuntimeTensor;
  }

  /**
   * Runs one task after another: a run must not meet another that changes the same variables.
   *
   * @throws DEVICE_LOST when the task fails and the device then fails the smallest graph too
   */
  enqueue<T>(task: () => Eventually<T>): Promise<T> {
    const turn = this.queue
      .then(breathe)
      .then(task)
      .catch((error: unknown) => this.explain(error));
    this.queue = turn.catch(() => undefined);
    return turn;
  }

  /** Whether results are there when a run returns. */
  get synchronous(): boolean {
    return this.runtime.synchronous;
  }

  /** Gives values to pending ones. */
  run(values: readonly Value[]): Promise<void> {
    return this.enqueue(() => this.settle(values));
  }

  /** Gives values to pending ones, at once. @throws ENGINE_FAILED where sessions answer later only */
  runSync(values: readonly Value[]): void {
    if (!this.runtime.synchronous) {
      throw new GeoLearnError("ENGINE_FAILED", "a value was asked for with dataSync() or arraySync(), but here results come later", {
        hint: "Use `await tensor.data()` or `await tensor.array()` in a browser.",
      });
    }
    void this.settle(values);
  }

  /** Gives values to pending ones, outside of the queue. */
  settle(values: readonly Value[]): Eventually<void> {
    const wanted = [...new Set(values)].filter((value) => value.host === null);
    if (wanted.length === 0) return undefined;
    const plan = planOf(wanted, (value) => value.host !== null);
    return after(this.eagerSession(plan), (session) => {
      const feeds: Record<string, RuntimeTensor> = {};
      plan.leaves.forEach((value, i) => (feeds[`l${i}`] = this.feed(value)));
      return after(this.execute(session, feeds, wanted.length), (results) => {
        wanted.forEach((value, i) => {
          value.host = { data: results[i]! };
          value.inputs = [];
        });
      });
    });
  }

  /** Runs a session whose results are named `r0`, `r1`...; each comes in memory of its own. @throws ENGINE_FAILED */
  execute(session: RuntimeSession, feeds: Readonly<Record<string, RuntimeTensor>>, count: number): Eventually<TensorData[]> {
    const names = Array.from({ length: count }, (_, i) => `r${i}`);
    const results = failing(
      () => session.run(feeds, names),
      (cause) => new GeoLearnError("ENGINE_FAILED", `ONNX Runtime failed to run a graph: ${String(cause)}`, { cause }),
    );
    return after(results, (tensors) => names.map((name) => tensors[name]!.data));
  }

  private async explain(error: unknown): Promise<never> {
    if (!GeoLearnError.is(error, "ENGINE_FAILED")) throw error;
    const reason = await this.lost();
    if (reason === null) throw error;
    throw new GeoLearnError("DEVICE_LOST", `the device stopped working: ${reason.trim()}`, {
      hint: 'Restart the process and go on from the last checkpoint (`resume`), on this device or with `device: "cpu"`.',
      cause: error,
    });
  }

  private eagerSession(plan: Plan): Eventually<RuntimeSession> {
    const key = structureKey(plan);
    const former = this.eager.get(key);
    if (former !== undefined) {
      this.eager.delete(key);
      this.eager.set(key, former);
      return former;
    }
    return after(this.createSession(withoutShapes(lowerPlan(plan, this.target, (_, i) => `l${i}`))), (session) => {
      this.eager.set(key, session);
      if (this.eager.size <= EAGER_SESSIONS) return session;
      const [oldest, released] = this.eager.entries().next().value!;
      this.eager.delete(oldest);
      return after(released.dispose(), () => session);
    });
  }

  /** Number of cached sessions. */
  get cachedSessions(): number {
    return this.eager.size;
  }

  /** Frees every cached session. */
  dispose(): Eventually<void> {
    const sessions = [...this.eager.values()];
    this.eager.clear();
    return sessions.reduce<Eventually<void>>((before, session) => after(before, () => session.dispose()), undefined);
  }
}

/** Does work that may fail at once or later, and tells the failure in the engine's words. */
function failing<T>(work: () => Eventually<T>, told: (cause: unknown) => GeoLearnError): Eventually<T> {
  try {
    const result = work();
    if (!(result instanceof Promise)) return result;
    return result.catch((cause: unknown) => {
      throw told(cause);
    });
  } catch (cause) {
    throw told(cause);
  }
}
