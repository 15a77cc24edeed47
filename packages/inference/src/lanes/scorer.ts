/** A network ready to run on blocks of pixels. */

import { GeoLearnError } from "@geolearn/core";
import type { OnnxSession } from "@geolearn/engine/onnx";

import type { BlockShape, LaneGraph, NetworkFrame, Outputs } from "./lane-messages.ts";

/** What one run of a network does: blocks `[computeBatch, height, width, bands]` to its outputs. */
export interface Runner extends NetworkFrame {
  run(images: Float32Array): Promise<Outputs>;
  dispose(): Promise<void>;
}

/** A network ready to run. */
export interface Scorer extends NetworkFrame {
  /** Outputs for `size` blocks, the first written to `out` if given. Ends early, with what there is, once nobody waits any more. */
  compute(pixels: Float32Array, size: number, out: Float32Array | null, stopped: () => boolean): Promise<Outputs>;
  dispose(): Promise<void>;
}

/** Feeds a runner any number of blocks. */
export function createScorer(runner: Runner, { computeBatch, tileWidth, tileHeight, bands }: BlockShape): Scorer {
  /** Fed to every run: the runtime takes no shared memory, and a last, incomplete run keeps whatever was there before. */
  const images = new Float32Array(computeBatch * tileHeight * tileWidth * bands);
  return {
    stride: runner.stride,
    margin: runner.margin,
    async compute(pixels, size, out, stopped) {
      const length = pixels.length / size;
      const results: Float32Array[] = out === null ? [] : [out];
      for (let first = 0; first < size && !stopped(); first += computeBatch) {
        const count = Math.min(computeBatch, size - first);
        images.set(pixels.subarray(first * length, (first + count) * length));
        for (const [output, computed] of (await runner.run(images)).entries()) {
          const each = computed.length / computeBatch;
          const result = (results[output] ??= new Float32Array(size * each));
          result.set(computed.subarray(0, count * each), first * each);
        }
      }
      return results;
    },
    dispose: () => runner.dispose(),
  };
}

/** A runner of an ONNX file with one input `[N, H, W, C]` and outputs of floats, with a side for images in front. */
export function graphRunner(session: OnnxSession, { source, stride, margin, classNumbers }: LaneGraph, shape: BlockShape): Runner {
  const [input, names] = [session.inputs[0]!.name, session.outputs.map(({ name }) => name)];
  const sides = [shape.computeBatch, shape.tileHeight, shape.tileWidth, shape.bands];
  return {
    stride,
    margin,
    async run(images) {
      const given = await session.run({ [input]: { data: images, shape: sides, dtype: "float32" } });
      const outputs = names.map((name) => given[name]!);
      if (classNumbers) refuseUnknownClasses(outputs[0]!.data as Float32Array, outputs[0]!.shape.at(-1)!, source);
      return outputs.map(({ data }) => data as Float32Array);
    },
    dispose: () => session.dispose(),
  };
}

/** A number beyond the classes has no score at all, and would quietly become the first class. */
function refuseUnknownClasses(scores: Float32Array, classes: number, source: string): void {
  for (let at = 0; at < scores.length; at += classes) {
    let sum = 0;
    for (let i = 0; i < classes; i++) sum += scores[at + i]!;
    if (sum === 1) continue;
    throw new GeoLearnError("CLASS_UNKNOWN", `${source} gives a number beyond the ${classes} classes that were described.`, {
      hint: "Describe all classes, in the order of the network's numbers.",
    });
  }
}
