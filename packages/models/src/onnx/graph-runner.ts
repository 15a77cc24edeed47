/** A package around an ONNX file that finds objects or classifies whole images, run on blocks of pixels in the caller's thread. */

import { GeoLearnError } from "@geolearn/core";
import { FRAMED_INPUT, type HostTensor, type OnnxSession, openOnnxSession } from "@geolearn/engine";

import type { ModelPackage } from "../package/read.ts";
import { type GraphObject, objectsOf } from "./detector-outputs.ts";
import { scoreGraph } from "./score-graph.ts";
import { tileScores } from "./tile-outputs.ts";

/** Images as a graph takes them. */
export interface GraphBlock {
  /** `[size, height, width, bands]`, raw values. */
  readonly pixels: Float32Array;
  readonly size: number;
  readonly height: number;
  readonly width: number;
}

/**
 * The graph of a package, for blocks of any size the file takes. Nothing is loaded before the first run. `startEngine` must have finished.
 *
 * @example
 * const graph = new GraphRunner(await openOnnx("trees.onnx", { task: "objectDetection" }));
 * const [found] = await graph.detect({ pixels, size: 1, height: 512, width: 512 });
 * await graph.dispose();
 */
export class GraphRunner {
  readonly #model: ModelPackage;
  /** Sessions by the shape of a run. */
  readonly #sessions = new Map<string, Promise<OnnxSession>>();

  constructor(model: ModelPackage) {
    this.#model = model;
  }

  /**
   * The graph's outputs by name, one set for each run: a run takes as many images as the file is fixed to, else the whole block.
   *
   * @throws CHIPS_MISMATCH where the file is fixed to another size; the signal's reason between runs
   */
  async run(block: GraphBlock, signal?: AbortSignal): Promise<Readonly<Record<string, HostTensor>>[]> {
    const { pixels, size, height, width } = block;
    const { graph, bandIndices } = this.#model.manifest;
    const batch = graph?.batch ?? size;
    const shape = [batch, height, width, bandIndices.length] as const;
    const session = await this.#session(batch, block);
    const length = height * width * bandIndices.length;
    const results: Readonly<Record<string, HostTensor>>[] = [];
    for (let first = 0; first < size; first += batch) {
      signal?.throwIfAborted();
      // A last run that is not full gets empty images behind it.
      const data = new Float32Array(batch * length);
      data.set(pixels.subarray(first * length, Math.min(first + batch, size) * length));
      results.push(await session.run({ [FRAMED_INPUT]: { data, shape, dtype: "float32" } }));
    }
    return results;
  }

  /** Objects of each image, the best first. @throws TASK_MISMATCH for a graph that classifies; CLASS_UNKNOWN; what `run` throws */
  async detect(block: GraphBlock, signal?: AbortSignal): Promise<(readonly GraphObject[])[]> {
    const { manifest, source } = this.#model;
    const output = manifest.graph?.output;
    if (output?.kind !== "objects") throw this.#mismatch("detect objects");
    const reading = { output, width: block.width, height: block.height, classes: manifest.classes.length, source };
    const images: (readonly GraphObject[])[] = [];
    for (const results of await this.run(block, signal)) images.push(...objectsOf(results, reading));
    return images.slice(0, block.size);
  }

  /** Scores `[images, classes]`, 0 to 1. @throws TASK_MISMATCH for a graph that detects; what `run` throws */
  async classify(block: GraphBlock, signal?: AbortSignal): Promise<Float32Array> {
    const { manifest } = this.#model;
    const output = manifest.graph?.output;
    if (output?.kind !== "image") throw this.#mismatch("classify objects");
    const scores = new Float32Array(block.size * manifest.classes.length);
    let at = 0;
    for (const results of await this.run(block, signal)) {
      const { data, shape } = results[output.name]!;
      const some = tileScores(data as Float32Array, shape.at(-1)!, manifest).subarray(0, scores.length - at);
      scores.set(some, at);
      at += some.length;
    }
    return scores;
  }

  /** Releases the sessions; what is still running must have ended. */
  async dispose(): Promise<void> {
    for (const session of this.#sessions.values()) await (await session).dispose();
    this.#sessions.clear();
  }

  #session(batch: number, { height, width }: GraphBlock): Promise<OnnxSession> {
    const key = [batch, height, width].join();
    const made = this.#sessions.get(key) ?? openOnnxSession(scoreGraph(this.#model, { batch, height, width }));
    this.#sessions.set(key, made);
    return made;
  }

  #mismatch(what: string): GeoLearnError {
    return new GeoLearnError("TASK_MISMATCH", `${this.#model.source} is made for ${this.#model.manifest.task} and cannot ${what}.`, {
      hint: "Use the method of its task.",
    });
  }
}
