/** A network that turns blocks of pixels into scores, compiled. */

import { type Device, type HostTensor, compile, startEngine } from "@geolearn/engine";
import { createNetwork } from "@geolearn/models";
import * as tf from "@tensorflow/tfjs";

import type { LaneSetup } from "./lane-messages.ts";

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

/** Starts the engine and compiles the network with its weights written into the graph. */
export async function createScorer(setup: ScorerSetup): Promise<Scorer> {
  const { device, threads, modelType, config, tileWidth, tileHeight, bands, computeBatch } = setup;
  const engine = await startEngine({ device, ...(threads === undefined ? {} : { threads }) });
  const weights = new Map<string, HostTensor>();
  for (const { name, shape, offset, length } of setup.weights) {
    weights.set(name, { data: new Float32Array(setup.buffer, offset, length), shape, dtype: "float32" });
  }
  const network = createNetwork(modelType, config, { weights });
  const scores = compile(({ images }) => ({ scores: tf.softmax(network.forward(images as tf.Tensor4D, { training: false }), -1) }), {
    inputs: { images: { shape: [computeBatch, tileHeight, tileWidth, bands], dtype: "float32" } },
    variables: "constant",
  });
  /** Fed to every run: the runtime takes no shared memory, and a last, incomplete run keeps whatever was there before. */
  const images = new Float32Array(computeBatch * tileHeight * tileWidth * bands);
  return {
    device: engine.device,
    stride: network.stride,
    margin: network.margin,
    async compute(pixels, size, out, stopped) {
      const length = pixels.length / size;
      let result = out;
      for (let first = 0; first < size && !stopped(); first += computeBatch) {
        const count = Math.min(computeBatch, size - first);
        images.set(pixels.subarray(first * length, (first + count) * length));
        const computed = (await scores.run({ images }))["scores"]!.data as Float32Array;
        const each = computed.length / computeBatch;
        result ??= new Float32Array(size * each);
        result.set(computed.subarray(0, count * each), first * each);
      }
      return result ?? new Float32Array(0);
    },
    dispose: () => scores.dispose(),
  };
}
