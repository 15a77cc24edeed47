/** A network that turns blocks of pixels into scores, ready to run. */

import { GeoLearnError } from "@geolearn/core";
import type { OnnxSession } from "@geolearn/engine/onnx";

import type { BlockShape, LaneGraph, NetworkFrame } from "./lane-messages.ts";

/** What one run of a network does: blocks `[computeBatch, height, width, bands]` to scores. */
export interface Runner extends NetworkFrame {
  run(images: Float32Array): Promise<Float32Array>;
  dispose(): Promise<void>;
}

/** A network ready to run. */
export interface Scorer extends NetworkFrame {
  /** Scores of `size` blocks, written to `out` if given. Ends early, with what there is, once nobody waits any more. */
  compute(pixels: Float32Array, size: number, out: Float32Array | null, stopped: () => boolean): Promise<Float32Array>;
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
      let result = out;
      for (let first = 0; first < size && !stopped(); first += computeBatch) {
        const count = Math.min(computeBatch, size - first);
        images.set(pixels.subarray(first * length, (first + count) * length));
        const computed = await runner.run(images);
        const each = computed.length / computeBatch;
        result ??= new Float32Array(size * each);
        result.set(computed.subarray(0, count * each), first * each);
      }
      return result ?? new Float32Array(0);
    },
    dispose: () => runner.dispose(),
  };
}

/** A runner of an ONNX file with one input and one output, `[N, H, W, C]` both. */
export function graphRunner(session: OnnxSession, { source, stride, margin, classNumbers }: LaneGraph, shape: BlockShape): Runner {
  const [input, output] = [session.inputs[0]!.name, session.outputs[0]!.name];
  const sides = [shape.computeBatch, shape.tileHeight, shape.tileWidth, shape.bands];
  return {
    stride,
    margin,
    async run(images) {
      const scores = (await session.run({ [input]: { data: images, shape: sides, dtype: "float32" } }))[output]!;
      const data = scores.data as Float32Array;
      if (classNumbers) refuseUnknownClasses(data, scores.shape.at(-1)!, source);
      return data;
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
