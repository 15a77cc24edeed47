/** A network of ours, built from what passes between threads: as a graph for threads without tfjs, or to run where it is. */

import { type Device, FRAMED_INPUT, FRAMED_OUTPUT, type HostTensor, compile, exportOnnx, startEngine } from "@geolearn/engine";
import { type AnyNetwork, type DecodeOptions, createNetwork } from "@geolearn/models";
import * as tf from "@tensorflow/tfjs";

import { sharedMemory } from "#platform";

import type { BlockShape, LaneGraph, LaneNetwork } from "./lane-messages.ts";
import type { Runner } from "./scorer.ts";

/** Where a network runs, and on what. */
export interface OwnNetworkSetup extends BlockShape {
  readonly device: Device;
  readonly threads?: number;
  readonly model: LaneNetwork;
}

/** The graph of a network for a device, with its weights and its decoder written into it. Starts the engine on the device. */
export async function graphOf(setup: OwnNetworkSetup): Promise<LaneGraph> {
  const { network, shape } = await build(setup);
  const { bytes } = exportOnnx((inputs) => outputsOf(network, inputs[FRAMED_INPUT]!, setup.model.decoding), {
    inputs: { [FRAMED_INPUT]: { shape, dtype: "float32" } },
    portable: false,
  });
  network.dispose();
  const buffer = sharedMemory(bytes.length);
  new Uint8Array(buffer).set(bytes);
  return { kind: "graph", buffer, source: "The network", ...frameOf(network), classNumbers: false };
}

/** A runner of the network in this thread, for devices that are no ONNX Runtime. Starts the engine on the device. */
export async function networkRunner(setup: OwnNetworkSetup): Promise<Runner> {
  const { network, shape } = await build(setup);
  const compiled = compile(({ images }) => outputsOf(network, images!, setup.model.decoding), {
    inputs: { images: { shape, dtype: "float32" } },
    variables: "constant",
  });
  return {
    ...frameOf(network),
    run: async (images) => Object.values(await compiled.run({ images })).map(({ data }) => data as Float32Array),
    dispose: () => compiled.dispose(),
  };
}

/** Scores of pixels or of whole blocks; or boxes, scores, positions of classes and, of networks that outline, masks, in this order and all as floats. */
function outputsOf(network: AnyNetwork, images: tf.Tensor, decoding: DecodeOptions | undefined): Record<string, tf.Tensor> {
  if (network.task === "pixelClassification")
    return { [FRAMED_OUTPUT]: network.decode(network.forward(images as tf.Tensor4D, { training: false })) };
  if (network.task === "objectClassification")
    return { [FRAMED_OUTPUT]: network.decode(network.forward(images as tf.Tensor4D, { training: false })) };
  const { boxes, scores, classIndices, masks } = network.decode(network.forward(images as tf.Tensor4D, { training: false }), decoding);
  return { boxes, scores, classIndices: tf.cast(classIndices, "float32"), ...(masks === undefined ? {} : { masks }) };
}

function frameOf(network: AnyNetwork): { readonly stride: number; readonly margin: number } {
  return { stride: network.stride, margin: network.task === "pixelClassification" ? network.margin : 0 };
}

async function build(setup: OwnNetworkSetup): Promise<{ readonly network: AnyNetwork; readonly shape: readonly number[] }> {
  const { device, threads, model, computeBatch, tileHeight, tileWidth, bands } = setup;
  await startEngine({ device, ...(threads === undefined ? {} : { threads }) });
  const weights = new Map<string, HostTensor>();
  for (const { name, shape, offset, length } of model.weights)
    weights.set(name, { data: new Float32Array(model.buffer, offset, length), shape, dtype: "float32" });
  return { network: createNetwork(model.modelType, model.config, { weights }), shape: [computeBatch, tileHeight, tileWidth, bands] };
}
