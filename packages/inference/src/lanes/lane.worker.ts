/** A thread that holds a compiled network and computes blocks, one request after another. */

import { parentPort, workerData } from "node:worker_threads";

import { GeoLearnError } from "@geolearn/core";
import { type OnnxDevice, openOnnxSession, parseOnnxModel } from "@geolearn/engine/onnx";

import { type LaneReply, type LaneRequest, type LaneStart, STOP } from "./lane-messages.ts";
import { type Runner, type Scorer, createScorer, graphRunner } from "./scorer.ts";

const setup = workerData as LaneStart;
const port = parentPort!;

const starting = start().then(
  (scorer) => {
    send({ kind: "ready", stride: scorer.stride, margin: scorer.margin });
    return scorer;
  },
  (error: unknown) => {
    send(failure(null, error));
    return null;
  },
);

async function start(): Promise<Scorer> {
  return createScorer(await openRunner(), setup);
}

async function openRunner(): Promise<Runner> {
  const { model, device, threads } = setup;
  if (model.kind === "network") {
    // Only here tfjs is needed, and its memory.
    const { networkRunner } = await import("./own-network.ts");
    return networkRunner({ ...setup, model });
  }
  const onnx = parseOnnxModel(new Uint8Array(model.buffer), model.source);
  return graphRunner(await openOnnxSession(onnx, { device: device as OnnxDevice, threads }), model, setup);
}

// One request after another: they share the memory that is fed to the network.
let last: Promise<void> = Promise.resolve();
port.on("message", (request: LaneRequest | typeof STOP) => {
  last = last.then(() => (request === STOP ? end() : answer(request)));
});

/** Ends the thread between two runs: a thread that is ended from outside inside the native runtime takes the whole process with it. */
async function end(): Promise<void> {
  await (await starting)?.dispose();
  process.exit(0);
}

async function answer(request: LaneRequest): Promise<void> {
  const scorer = await starting;
  if (scorer === null) return;
  try {
    // Once stopped nobody waits for the result any more.
    const outputs = await scorer.compute(request.pixels, request.size, request.out, () => Atomics.load(setup.stop, 0) !== 0);
    if (request.out !== null && outputs.length === 1) send({ kind: "outputs", id: request.id, outputs: null });
    else
      send(
        { kind: "outputs", id: request.id, outputs },
        outputs.map(({ buffer }) => buffer).filter((buffer) => buffer instanceof ArrayBuffer),
      );
  } catch (error) {
    send(failure(request.id, error));
  }
}

function failure(id: number | null, error: unknown): LaneReply {
  const message = error instanceof Error ? error.message : String(error);
  const own = GeoLearnError.is(error) ? error : null;
  return { kind: "failure", id, failure: { message, code: own?.code ?? null, hint: own?.hint ?? null } };
}

function send(reply: LaneReply, transfer: readonly ArrayBuffer[] = []): void {
  port.postMessage(reply, [...transfer]);
}
