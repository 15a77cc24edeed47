/** A model package in the form that passes between threads. */

import { sharedMemory } from "#platform";
import { type DecodeOptions, type ModelPackage, scoreGraph } from "@geolearn/models";

import type { LaneSetup, SharedWeight } from "./lane-messages.ts";

/** What threads get: the weights of a network of ours, or an ONNX file framed so that it takes raw pixels and gives scores. */
export function laneModel(model: ModelPackage, computeBatch: number, decoding?: DecodeOptions): LaneSetup["model"] {
  const { manifest, weights, source } = model;
  const { graph } = manifest;
  if (graph === undefined) {
    const { buffer, list } = shareWeights(weights);
    const network = { modelType: manifest.modelType, config: manifest.config, weights: list, buffer };
    return { kind: "network", ...network, ...(decoding === undefined ? {} : { decoding }) };
  }
  const { bytes } = scoreGraph(model, { batch: computeBatch });
  const buffer = sharedMemory(bytes.length);
  new Uint8Array(buffer).set(bytes);
  const { stride, margin, output } = graph;
  return { kind: "graph", buffer, source, stride, margin, classNumbers: output.kind === "pixels" && output.values === "classes" };
}

function shareWeights(weights: ModelPackage["weights"]): { buffer: ArrayBufferLike; list: SharedWeight[] } {
  let bytes = 0;
  for (const { data } of weights.values()) bytes += 4 * data.length;
  const buffer = sharedMemory(bytes);
  const list: SharedWeight[] = [];
  let offset = 0;
  for (const [name, { data, shape }] of weights) {
    new Float32Array(buffer, offset, data.length).set(data);
    list.push({ name, shape, offset, length: data.length });
    offset += 4 * data.length;
  }
  return { buffer, list };
}
