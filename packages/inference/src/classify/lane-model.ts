/** A model package in the form that passes between threads. */

import { sharedMemory } from "#platform";
import { GeoLearnError } from "@geolearn/core";
import { frameOnnxModel, parseOnnxModel } from "@geolearn/engine";
import { type ModelPackage, checkOnnxConfig } from "@geolearn/models";

import type { LaneSetup, SharedWeight } from "./lane-messages.ts";

/** What threads get: the weights of a network of ours, or an ONNX file framed so that it takes raw pixels and gives scores. */
export function laneModel({ manifest, weights, onnx, source }: ModelPackage, computeBatch: number): LaneSetup["model"] {
  if (onnx === null) {
    const { buffer, list } = shareWeights(weights);
    return { kind: "network", modelType: manifest.modelType, config: manifest.config, weights: list, buffer };
  }
  const { input, layout, offset, divisor, output, stride, margin } = checkOnnxConfig(manifest.config, source);
  if (output.kind !== "pixels")
    throw new GeoLearnError("MODEL_CORRUPT", `${source} gives no scores of pixels.`, { hint: "Import the ONNX file again." });
  const { bytes } = frameOnnxModel(
    parseOnnxModel(onnx, source),
    {
      name: input,
      layout,
      shape: [computeBatch, manifest.chipHeight, manifest.chipWidth, manifest.bandIndices.length],
      offset: offset ?? undefined,
      divisor: divisor ?? undefined,
    },
    { ...output, classes: manifest.classes.length },
  );
  const buffer = sharedMemory(bytes.length);
  new Uint8Array(buffer).set(bytes);
  return { kind: "graph", buffer, source, stride, margin, classNumbers: output.values === "classes" };
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
