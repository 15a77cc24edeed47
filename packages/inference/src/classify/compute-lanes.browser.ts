/** Where blocks are computed in a browser: in the thread that asks, one after another. */

import { GeoLearnError } from "@geolearn/core";

import type { PixelBlock } from "../inference-function.ts";
import type { LaneReady } from "./compute-lanes.ts";
import type { LaneSetup } from "./lane-messages.ts";
import { type Scorer, createScorer } from "./scorer.ts";

/** One network in this thread, with the interface of the threads that Node has. */
export class ComputeLanes {
  readonly #scorer: Promise<Scorer>;
  #last: Promise<unknown> = Promise.resolve();
  #closed: unknown = null;

  constructor(setup: Omit<LaneSetup, "stop">, _count: number) {
    // Threads were chosen when the page started the engine.
    const { threads: _threads, ...own } = setup;
    this.#scorer = createScorer(own);
    this.#scorer.catch(() => {}); // told by ready() and run()
  }

  /** Waits until the network stands. @throws what starting threw */
  async ready(): Promise<LaneReady> {
    const { device, stride, margin } = await this.#scorer;
    return { device, stride, margin };
  }

  /** Scores of a block. Cancelling closes the lane after the run it is at. */
  async run({ pixels, size, out }: PixelBlock, signal?: AbortSignal): Promise<Float32Array> {
    signal?.throwIfAborted();
    if (this.#closed !== null) throw this.#closed;
    const scorer = await this.#scorer;
    const turn = this.#last.then(() => scorer.compute(pixels, size, out ?? null, () => this.#closed !== null || signal?.aborted === true));
    this.#last = turn.catch(() => undefined);
    const scores = await turn;
    if (signal?.aborted === true) await this.close(signal.reason);
    if (this.#closed !== null) throw this.#closed;
    return scores;
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
      new GeoLearnError("INVALID_ARGUMENT", "The classifier was disposed while it was computing.", {
        hint: "Await its results before dispose().",
      });
    await this.#last;
    await this.#scorer.then(
      (scorer) => scorer.dispose(),
      () => undefined,
    );
  }
}
