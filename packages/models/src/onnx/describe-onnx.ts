/** What an ONNX file says of itself, whoever made it. Nothing is run. */

import { basename } from "node:path";

import type { Task } from "@geolearn/core";
import { readOnnxModel } from "@geolearn/engine";

import type { ModelManifest } from "../manifest.ts";
import type { ForeignClass } from "../package/foreign.ts";
import { readDeepness } from "./deepness.ts";
import { type OnnxOutput, portOf } from "./exported.ts";
import { readOwnMetadata } from "./own-metadata.ts";

/** An ONNX file told in words and numbers; plain JSON. */
export interface OnnxDescription {
  /** Who describes the model in the file: geolearn, the keys of QGIS Deepness, or nobody. */
  readonly origin: "geolearn" | "deepness" | "foreign";
  readonly name: string;
  /** Program that wrote the file, or null. */
  readonly producer: string | null;
  /** Version of ONNX's operators. */
  readonly opset: number | null;
  readonly bytes: number;
  /** Numbers among the weights. */
  readonly parameters: number;
  readonly inputs: readonly OnnxOutput[];
  readonly outputs: readonly OnnxOutput[];
  /** Null when the file does not say. */
  readonly task: Task | null;
  readonly classes: readonly ForeignClass[];
  readonly bandIndices: readonly number[] | null;
  readonly bandNames: readonly string[] | null;
  readonly chipWidth: number | null;
  readonly chipHeight: number | null;
  /** Ground size of a training pixel in metres, or null. */
  readonly resolution: number | null;
  /** What else the file says, by key, as it is written. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The whole manifest of a file that geolearn wrote; null for others. */
  readonly manifest: ModelManifest | null;
}

/**
 * Describes an ONNX file without running it: inputs, outputs, and what its metadata say.
 *
 * @throws what `readOnnxModel` throws; MODEL_CORRUPT when geolearn's own description in it is damaged
 *
 * @example
 * const { inputs, outputs, classes } = await describeOnnx("landcover.onnx");
 */
export async function describeOnnx(path: string): Promise<OnnxDescription> {
  const model = await readOnnxModel(path, { externalData: true });
  const { graph, opsets, metadata, producer, bytes } = model;
  const own = readOwnMetadata(metadata, model.source)?.manifest ?? null;
  const deepness = own === null ? readDeepness(metadata, null) : null;
  return {
    origin: own !== null ? "geolearn" : deepness !== null ? "deepness" : "foreign",
    name: own?.name ?? basename(path).replace(/\.onnx$/i, ""),
    producer: producer === "" ? null : producer,
    opset: opsets.get("") ?? null,
    bytes: bytes.length,
    parameters: graph.initializers.reduce((sum, { dims }) => sum + dims.reduce((product, side) => product * side, 1), 0),
    inputs: graph.inputs.map(portOf),
    outputs: graph.outputs.map(portOf),
    task: own?.task ?? deepness?.task ?? null,
    classes: own?.classes ?? (deepness?.classNames ?? []).map((name, value) => ({ value, name, color: null })),
    bandIndices: own?.bandIndices ?? null,
    bandNames: own?.bandNames ?? null,
    chipWidth: own?.chipWidth ?? deepness?.tileSize ?? null,
    chipHeight: own?.chipHeight ?? deepness?.tileSize ?? null,
    resolution: own?.resolution ?? deepness?.resolution ?? null,
    metadata: own === null ? Object.fromEntries(metadata) : {},
    manifest: own,
  };
}
