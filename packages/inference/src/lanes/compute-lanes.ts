/** Threads that compute blocks for a model; each holds the network once. */

import type { Worker } from "node:worker_threads";

import { type ErrorCode, GeoLearnError, WorkerPool, createWorker } from "@geolearn/core";

import type { PixelBlock } from "../inference-function.ts";
import {
  type LaneFailure,
  type LaneGraph,
  type LaneReply,
  type LaneRequest,
  type LaneSetup,
  type LaneStart,
  type NetworkFrame,
  type Outputs,
  STOP,
} from "./lane-messages.ts";
import type { OwnNetworkSetup } from "./own-network.ts";

interface Pending {
  readonly resolve: (outputs: Outputs | null) => void;
  readonly reject: (error: unknown) => void;
}

interface Lane {
  readonly worker: Worker;
  readonly pending: Map<number, Pending>;
  readonly ready: Promise<NetworkFrame>;
  readonly stopStarting: (error: unknown) => void;
  readonly ended: Promise<void>;
}

/** A fixed number of threads; requests go to the one with the fewest waiting. */
export class ComputeLanes {
  readonly #lanes: Lane[] = [];
  readonly #stop = new Int32Array(new SharedArrayBuffer(4));
  /** Set before start() gives the lanes out. */
  #frame!: NetworkFrame;
  #nextId = 1;
  #closed: unknown = null;

  private constructor(setup: LaneSetup, count: number) {
    for (let i = 0; i < count; i++) this.#lanes.push(this.#start({ ...setup, stop: this.#stop }));
  }

  /** Starts the threads and waits until each has its network. @throws what starting threw */
  static async start(setup: LaneSetup, count: number): Promise<ComputeLanes> {
    const lanes = new ComputeLanes({ ...setup, model: await graphFor(setup) }, count);
    try {
      lanes.#frame = (await Promise.all(lanes.#lanes.map(({ ready }) => ready)))[0]!;
      return lanes;
    } catch (error) {
      await lanes.close(error);
      throw error;
    }
  }

  /** What inference must know of the network. */
  get frame(): NetworkFrame {
    return this.#frame;
  }

  /** Outputs for a block, the first in its `out` when that is shared memory. Cancelling ends all threads. */
  async run({ pixels, size, out }: PixelBlock, signal?: AbortSignal): Promise<Outputs> {
    signal?.throwIfAborted();
    if (this.#closed !== null) throw this.#closed;
    const cancel = (): void => void this.close(signal?.reason);
    signal?.addEventListener("abort", cancel, { once: true });
    try {
      const shared = out?.buffer instanceof SharedArrayBuffer ? out : null;
      const outputs = await new Promise<Outputs | null>((resolve, reject) => {
        const lane = this.#lanes.reduce((a, b) => (b.pending.size < a.pending.size ? b : a));
        const request: LaneRequest = { id: this.#nextId++, pixels, size, out: shared };
        lane.pending.set(request.id, { resolve, reject });
        lane.worker.ref();
        lane.worker.postMessage(request);
      });
      return outputs ?? [shared!];
    } finally {
      signal?.removeEventListener("abort", cancel);
    }
  }

  /** Whether the threads are gone. */
  get closed(): boolean {
    return this.#closed !== null;
  }

  /** Ends the threads, each after the block it is at; what still waits is rejected with `reason` at once. */
  async close(reason?: unknown): Promise<void> {
    this.#closed ??=
      reason ??
      new GeoLearnError("INVALID_ARGUMENT", "The model was disposed while it was computing.", {
        hint: "Await its results before dispose().",
      });
    const first = Atomics.exchange(this.#stop, 0, 1) === 0;
    await Promise.all(
      this.#lanes.map((lane) => {
        fail(lane, this.#closed);
        if (first) lane.worker.postMessage(STOP);
        lane.worker.ref();
        return lane.ended;
      }),
    );
  }

  #start(setup: LaneStart): Lane {
    const worker = createWorker(import.meta.url, "lane.worker", { name: "geolearn model", workerData: setup });
    const pending = new Map<number, Pending>();
    // An idle thread does not keep the process alive; one that is being closed does, until it has ended.
    const letExit = (): void => {
      if (this.#closed === null) worker.unref();
    };
    let stopStarting!: (error: unknown) => void;
    const ready = new Promise<NetworkFrame>((resolve, reject) => {
      stopStarting = reject;
      worker.on("message", (reply: LaneReply) => {
        if (reply.kind === "ready") {
          resolve(reply);
          letExit();
          return;
        }
        if (reply.kind === "failure" && reply.id === null) return reject(fromFailure(reply.failure));
        const waiting = pending.get(reply.id!);
        pending.delete(reply.id!);
        if (pending.size === 0) letExit();
        if (reply.kind === "outputs") waiting?.resolve(reply.outputs);
        else waiting?.reject(fromFailure(reply.failure));
      });
    });
    ready.catch(() => {}); // told by ready() and run()
    const ended = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
    const lane = { worker, pending, ready, stopStarting, ended };
    const lose = (cause: unknown): void => {
      const text = cause instanceof Error ? cause.message : "it exited";
      fail(
        lane,
        new GeoLearnError("ENGINE_FAILED", `A computing thread ended before it answered: ${text}.`, {
          hint: "It may have run out of memory: use fewer `workers`, or a model of smaller chips.",
          cause,
        }),
      );
    };
    worker.on("error", lose);
    worker.on("exit", () => lose(undefined));
    return lane;
  }
}

/** The graph of a network of ours, written by a thread that ends again. */
async function graphFor({ model, ...setup }: LaneSetup): Promise<LaneSetup["model"]> {
  if (model.kind === "graph" || setup.device === "tensorflow") return model;
  const pool = new WorkerPool<OwnNetworkSetup, LaneGraph>(import.meta.url, "graph.worker", { size: 1, deadline: Infinity });
  try {
    return await pool.run({ ...setup, model });
  } finally {
    await pool.close();
  }
}

function fail(lane: Lane, error: unknown): void {
  lane.stopStarting(error);
  for (const { reject } of lane.pending.values()) reject(error);
  lane.pending.clear();
}

function fromFailure({ message, code, hint }: LaneFailure): GeoLearnError {
  return new GeoLearnError((code as ErrorCode | null) ?? "ENGINE_FAILED", message, hint === null ? {} : { hint });
}
