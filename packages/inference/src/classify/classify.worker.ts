/** A thread that holds a compiled network and computes blocks, one request after another. */

import { parentPort, workerData } from "node:worker_threads";

import { GeoLearnError } from "@geolearn/core";
import { type CompiledFunction, type HostTensor, compile, startEngine } from "@geolearn/engine";
import { createNetwork } from "@geolearn/models";
import * as tf from "@tensorflow/tfjs";

import { type LaneReply, type LaneRequest, type LaneSetup, STOP } from "./lane-messages.ts";

interface Lane {
  readonly scorer: CompiledFunction;
  readonly stride: number;
  readonly margin: number;
  readonly device: string;
}

const setup = workerData as LaneSetup;
const port = parentPort!;

const starting = startLane().then(
  (lane) => {
    send({ kind: "ready", device: lane.device, stride: lane.stride, margin: lane.margin });
    return lane;
  },
  (error: unknown) => {
    send(failure(null, error));
    return null;
  },
);

// One request after another: they share the memory that is fed to the network.
let last: Promise<void> = Promise.resolve();
port.on("message", (request: LaneRequest | typeof STOP) => {
  last = last.then(() => (request === STOP ? end() : answer(request)));
});

/** Ends the thread between two runs: a thread that is ended from outside inside the native runtime takes the whole process with it. */
async function end(): Promise<void> {
  await (await starting)?.scorer.dispose();
  process.exit(0);
}

async function answer(request: LaneRequest): Promise<void> {
  const lane = await starting;
  if (lane === null) return;
  try {
    const scores = await computeBlocks(lane.scorer, request);
    if (request.out === null) send({ kind: "scores", id: request.id, scores }, [scores.buffer as ArrayBuffer]);
    else send({ kind: "scores", id: request.id, scores: null });
  } catch (error) {
    send(failure(request.id, error));
  }
}

async function startLane(): Promise<Lane> {
  const { device, threads, modelType, config, tileWidth, tileHeight, bands, computeBatch } = setup;
  const engine = await startEngine({ device, threads });
  const weights = new Map<string, HostTensor>();
  for (const { name, shape, offset, length } of setup.weights) {
    weights.set(name, { data: new Float32Array(setup.buffer, offset, length), shape, dtype: "float32" });
  }
  const network = createNetwork(modelType, config, { weights });
  const scorer = compile(({ images }) => ({ scores: tf.softmax(network.forward(images as tf.Tensor4D, { training: false }), -1) }), {
    inputs: { images: { shape: [computeBatch, tileHeight, tileWidth, bands], dtype: "float32" } },
    variables: "constant",
  });
  return { scorer, stride: network.stride, margin: network.margin, device: engine.device };
}

/** Fed to every run: the runtime takes no shared memory, and a last, incomplete run keeps whatever was there before. */
const images = new Float32Array(setup.computeBatch * setup.tileHeight * setup.tileWidth * setup.bands);

async function computeBlocks(scorer: CompiledFunction, { pixels, size, out }: LaneRequest): Promise<Float32Array> {
  const { computeBatch } = setup;
  const length = pixels.length / size;
  let result = out;
  for (let first = 0; first < size; first += computeBatch) {
    if (Atomics.load(setup.stop, 0) !== 0) break; // nobody waits for the result any more
    const count = Math.min(computeBatch, size - first);
    images.set(pixels.subarray(first * length, (first + count) * length));
    const scores = (await scorer.run({ images }))["scores"]!.data as Float32Array;
    const each = scores.length / computeBatch;
    result ??= new Float32Array(size * each);
    result.set(scores.subarray(0, count * each), first * each);
  }
  return result ?? new Float32Array(0);
}

function failure(id: number | null, error: unknown): LaneReply {
  const message = error instanceof Error ? error.message : String(error);
  const own = GeoLearnError.is(error) ? error : null;
  return { kind: "failure", id, failure: { message, code: own?.code ?? null, hint: own?.hint ?? null } };
}

function send(reply: LaneReply, transfer: readonly ArrayBuffer[] = []): void {
  port.postMessage(reply, [...transfer]);
}
