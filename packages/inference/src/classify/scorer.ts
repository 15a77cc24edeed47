/** A network that turns blocks of pixels into scores, compiled. */

import { GeoLearnError } from "@geolearn/core";
import {
  type Device,
  FRAMED_INPUT,
  FRAMED_OUTPUT,
  type HostTensor,
  compile,
  openOnnxSession,
  parseOnnxModel,
  startEngine,
} from "@geolearn/engine";
import { createNetwork } from "@geolearn/models";
import type * as tf from "@tensorflow/tfjs";

import type { LaneNetwork, LaneOnnx, LaneSetup } from "./lane-messages.ts";

/** A compiled network. */
export interface Scorer {
  readonly device: Device;
  readonly stride: number;
  readonly margin: number;
  /** Scores of `size` blocks, written to `out` if given. Ends early, with what there is, once nobody waits any more. */
  compute(pixels: Float32Array, size: number, out: Float32Array | null, stopped: () => boolean): Promise<Float32Array>;
  dispose(): Promise<void>;
}

/** What a scorer is made of. */
export type ScorerSetup = Omit<LaneSetup, "stop" | "threads"> & { readonly threads?: number };

/** What one run of a network needs: blocks `[computeBatch, height, width, bands]` to scores. */
interface Runner {
  readonly stride: number;
  readonly margin: number;
  run(images: Float32Array): Promise<Float32Array>;
  dispose(): Promise<void>;
}

/** Starts the engine and makes a network with its weights written into the graph. */
export async function createScorer(setup: ScorerSetup): Promise<Scorer> {
  const { device, threads, model, tileWidth, tileHeight, bands, computeBatch } = setup;
  const engine = await startEngine({ device, ...(threads === undefined ? {} : { threads }) });
  const shape = [computeBatch, tileHeight, tileWidth, bands];
  const runner = model.kind === "network" ? networkRunner(model, shape) : await onnxRunner(model, shape);
  /** Fed to every run: the runtime takes no shared memory, and a last, incomplete run keeps whatever was there before. */
  const images = new Float32Array(computeBatch * tileHeight * tileWidth * bands);
  return {
    device: engine.device,
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

function networkRunner(model: LaneNetwork, shape: readonly number[]): Runner {
  const weights = new Map<string, HostTensor>();
  for (const { name, shape: sides, offset, length } of model.weights) {
    weights.set(name, { data: new Float32Array(model.buffer, offset, length), shape: sides, dtype: "float32" });
  }
  const network = createNetwork(model.modelType, model.config, { weights });
  const compiled = compile(({ images }) => ({ scores: network.decode(network.forward(images as tf.Tensor4D, { training: false })) }), {
    inputs: { images: { shape, dtype: "float32" } },
    variables: "constant",
  });
  return {
    stride: network.stride,
    margin: network.margin,
    run: async (images) => (await compiled.run({ images }))["scores"]!.data as Float32Array,
    dispose: () => compiled.dispose(),
  };
}

async function onnxRunner({ buffer, source, stride, margin, classNumbers }: LaneOnnx, shape: readonly number[]): Promise<Runner> {
  // The runtime takes no shared memory; it keeps the weights itself, so this copy is soon free again.
  const session = await openOnnxSession(parseOnnxModel(new Uint8Array(buffer).slice(), source));
  return {
    stride,
    margin,
    async run(images) {
      const scores = (await session.run({ [FRAMED_INPUT]: { data: images, shape, dtype: "float32" } }))[FRAMED_OUTPUT]!;
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
