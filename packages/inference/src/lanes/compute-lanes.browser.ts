/** Where blocks are computed in a browser: in the thread that asks, one after another. */

import { GeoLearnError } from "@geolearn/core";
import { openOnnxSession, parseOnnxModel, startEngine } from "@geolearn/engine";

import type { PixelBlock } from "../inference-function.ts";
import type { LaneSetup, NetworkFrame, Outputs } from "./lane-messages.ts";
import { graphOf } from "./own-network.ts";
import { type Scorer, createScorer, graphRunner } from "./scorer.ts";

/** One network in this thread, with the interface of the threads that Node has. */
export class ComputeLanes {
  readonly #scorer: Scorer;
  #last: Promise<unknown> = Promise.resolve();
  #closed: unknown = null;

  private constructor(scorer: Scorer) {
    this.#scorer = scorer;
  }

  /** Opens the network. @throws what starting threw */
  static async start(setup: LaneSetup, _count: number): Promise<ComputeLanes> {
    // Threads were chosen when the page started the engine.
    const { device, threads: _threads, model, ...shape } = setup;
    await startEngine({ device });
    const graph = model.kind === "graph" ? model : await graphOf({ ...shape, device, model });
    const session = await openOnnxSession(parseOnnxModel(new Uint8Array(graph.buffer), graph.source));
    return new ComputeLanes(createScorer(graphRunner(session, graph, shape), shape));
  }

  /** What inference must know of the network. */
  get frame(): NetworkFrame {
    return this.#scorer;
  }

  /** Outputs for a block. Cancelling closes the lane after the run it is at. */
  async run({ pixels, size, out }: PixelBlock, signal?: AbortSignal): Promise<Outputs> {
    signal?.throwIfAborted();
    if (this.#closed !== null) throw this.#closed;
    const turn = this.#last.then(() =>
      this.#scorer.compute(pixels, size, out ?? null, () => this.#closed !== null || signal?.aborted === true),
    );
    this.#last = turn.catch(() => undefined);
    const outputs = await turn;
    if (signal?.aborted === true) await this.close(signal.reason);
    if (this.#closed !== null) throw this.#closed;
    return outputs;
  }

  /** Whether the network is gone. */
  get closed(): boolean {
    return this.#closed !== null;
  }

  /** Frees the network after the run it is at. */
  async close(reason?: unknown): Promise<void> {
    if (this.#closed !== null) return;
    this.#closed =
      reason ??
      new GeoLearnError("INVALID_ARGUMENT", "The model was disposed while it was computing.", {
        hint: "Await its results before dispose().",
      });
    await this.#last;
    await this.#scorer.dispose();
  }
}
