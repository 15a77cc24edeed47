/** From an ONNX file and what a user says of it to a manifest; what only running it can show comes later. */

import { GeoLearnError, type ClassDefinition, type Task } from "@geolearn/core";
import type { ImageLayout, OnnxModel, OnnxValueInfo } from "@geolearn/engine";

import type { ModelManifest } from "../manifest.ts";
import { type ClassSpec, classesFrom } from "./classes.ts";
import { readDeepness } from "./deepness.ts";
import { readOwnMetadata } from "./own-metadata.ts";
import { type OnnxConfig, type OnnxSpec, ONNX_MODEL_TYPE } from "./spec.ts";

/** A manifest whose output has not been seen yet. */
export interface ResolvedSpec {
  readonly manifest: Omit<ModelManifest, "config" | "graph" | "classes">;
  readonly config: OnnxConfig;
  /** Null when the file's own number of outputs decides. */
  readonly classes: readonly ClassDefinition[] | null;
  /** Given by the user or by the file; null: to be found by running. */
  readonly margin: number | null;
  /** Channels of the output; null: to be found by running. */
  readonly channels: number | null;
  /** Whether an image may have several classes; null for one. */
  readonly several: { readonly thresholds: readonly number[] | null } | null;
}

const DEFAULT_CHIP = 256;
const DEFAULT_STRIDE = 32;
/** Most channels taken for bands when nobody says how many there are. */
const MOST_BANDS = 32;

/**
 * Fills a spec in from the file.
 *
 * @throws INVALID_ARGUMENT that names the field which cannot be found and must be given, or contradicts the file
 */
export function resolveSpec(model: OnnxModel, spec: OnnxSpec, fallbackName: string): ResolvedSpec {
  const own = readOwnMetadata(model.metadata, model.source);
  const told = own?.manifest ?? null;
  const input = only(model, model.graph.inputs, spec.input, "input");
  const hinted = spec.bands?.length ?? told?.bandIndices.length ?? null;
  const layout = spec.layout ?? inputLayout(model, input, hinted);
  const sides = sidesOf(model, input, layout, hinted);
  const deepness = own === null ? readDeepness(model.metadata, sides.bands) : null;
  const task = spec.task ?? told?.task ?? deepness?.task ?? null;
  if (task === null) throw missing(model, "task", "what it is made for", 'Give `task: "pixelClassification"`, or another task.');
  const [width, height] = chipSize(model, spec, sides, told, deepness?.tileSize ?? null);
  const normalization = spec.normalization === undefined ? (deepness?.normalization ?? null) : normalizationOf(model, spec, sides.bands);
  const margin = spec.margin ?? own?.graph.margin ?? null;
  const output = outputOf(model, spec, task, layout, own?.graph.values ?? null);
  const given: readonly ClassSpec[] | null = spec.classes ?? told?.classes ?? deepness?.classNames ?? null;
  const fitting = width % DEFAULT_STRIDE === 0 && height % DEFAULT_STRIDE === 0 ? DEFAULT_STRIDE : 1;
  const bandIndices = spec.bands ?? told?.bandIndices ?? Array.from({ length: sides.bands }, (_, i) => i);
  const bandNames = spec.bandNames ?? told?.bandNames ?? bandIndices.map((band) => `band ${band + 1}`);
  if (bandNames.length !== bandIndices.length)
    throw contradiction(model, "bandNames", `${bandNames.length} names`, `${bandIndices.length} bands`);
  return {
    manifest: {
      task,
      name: spec.name ?? told?.name ?? fallbackName,
      modelType: ONNX_MODEL_TYPE,
      backbone: told?.backbone ?? null,
      bandNames,
      bandIndices,
      sampleType: spec.sampleType ?? told?.sampleType ?? "unknown",
      statistics: spec.bands === undefined ? (told?.statistics ?? []) : [],
      chipWidth: width,
      chipHeight: height,
      ...(told?.crop === undefined ? {} : { crop: told.crop }),
      resolution: spec.cellSize ?? told?.resolution ?? deepness?.resolution ?? null,
      metrics: told?.metrics ?? {},
      training: told?.training ?? {},
    },
    config: {
      input: input.name,
      layout,
      offset: normalization?.offset.slice() ?? null,
      divisor: normalization?.divisor.slice() ?? null,
      batch: sides.batch,
      stride: spec.stride ?? own?.graph.stride ?? fitting,
      margin: margin ?? 0,
      output: output.frame,
    },
    classes: given === null ? null : classesFrom(given),
    margin,
    channels: output.channels,
    several: severalOf(model, spec, task, told),
  };
}

function severalOf(model: OnnxModel, spec: OnnxSpec, task: Task, told: ModelManifest | null): ResolvedSpec["several"] {
  const multiLabel = spec.multiLabel ?? told?.config["multiLabel"] === true;
  const field = spec.multiLabel === true ? "multiLabel" : spec.thresholds === undefined ? null : "thresholds";
  if (field !== null && (task !== "objectClassification" || !multiLabel))
    throw contradiction(model, field, "several classes an image", `it is made for ${task} with one class each`);
  if (task !== "objectClassification" || !multiLabel) return null;
  return { thresholds: spec.thresholds ?? (told?.config["thresholds"] as readonly number[] | undefined) ?? null };
}

function only(model: OnnxModel, list: readonly OnnxValueInfo[], name: string | undefined, what: "input" | "output"): OnnxValueInfo {
  const found = name === undefined ? (list.length === 1 ? list[0] : undefined) : list.find((info) => info.name === name);
  if (found !== undefined) return found;
  const names = list.map((info) => `"${info.name}"`).join(", ");
  throw new GeoLearnError(
    "INVALID_ARGUMENT",
    `${model.source} has the ${what}s ${names}${name === undefined ? "" : `, none called "${name}"`}.`,
    {
      hint: `Give one of them as \`${what}\`.`,
      data: { names: list.map((info) => info.name) },
    },
  );
}

/** Which side is the bands': the one with their number, or the smallest. */
function inputLayout(model: OnnxModel, { name, dims }: OnnxValueInfo, bands: number | null): ImageLayout {
  const layouts: readonly [ImageLayout, number][] = dims?.length === 4 ? [["NCHW", 1], ["NHWC", 3]] : dims?.length === 3 ? [["CHW", 0], ["HWC", 2]] : []; // prettier-ignore
  const fits = layouts.filter(([, axis]) => {
    const side = dims![axis];
    return typeof side === "number" && (bands === null ? side <= MOST_BANDS : side === bands);
  });
  // Images are larger than they have bands: of two small sides the smaller one is the bands'.
  const [first, second] = fits.toSorted(([, a], [, b]) => Number(dims![a]) - Number(dims![b]));
  if (first !== undefined && (second === undefined || Number(dims![first[1]]) < Number(dims![second[1]]))) return first[0];
  const shape = dims === null ? "of unknown shape" : `[${dims.map((side) => side ?? "?").join(", ")}]`;
  throw missing(
    model,
    "layout",
    `which side of its input "${name}" ${shape} is the bands'`,
    'Give `layout: "NCHW"` or another order, or `bands`.',
  );
}

interface Sides {
  readonly batch: number | null;
  readonly bands: number;
  readonly height: number | null;
  readonly width: number | null;
}

function sidesOf(model: OnnxModel, { name, dims }: OnnxValueInfo, layout: ImageLayout, bands: number | null): Sides {
  if (dims !== null && dims.length !== layout.length)
    throw contradiction(model, "layout", layout, `its input "${name}" has ${dims.length} sides`);
  const fixed = (letter: string): number | null => {
    const side = dims?.[layout.indexOf(letter)];
    return typeof side === "number" ? side : null;
  };
  const channels = fixed("C");
  if (channels !== null && bands !== null && channels !== bands)
    throw contradiction(model, "bands", `${bands} bands`, `it takes ${channels}`);
  const count = channels ?? bands;
  if (count === null) throw missing(model, "bands", "how many bands it takes", "Give `bands` as positions in the raster, from 0.");
  return { batch: layout.length === 3 ? 1 : fixed("N"), bands: count, height: fixed("H"), width: fixed("W") };
}

function chipSize(
  model: OnnxModel,
  { chipSize: given }: OnnxSpec,
  { width, height }: Sides,
  told: ModelManifest | null,
  tile: number | null,
): [width: number, height: number] {
  const [askedWidth, askedHeight] = typeof given === "number" ? [given, given] : (given ?? [null, null]);
  const choose = (fixed: number | null, asked: number | null, known: number | null | undefined): number => {
    if (fixed !== null && asked !== null && fixed !== asked)
      throw contradiction(model, "chipSize", `${asked} pixels`, `its input is fixed to ${fixed}`);
    return fixed ?? asked ?? known ?? tile ?? DEFAULT_CHIP;
  };
  return [choose(width, askedWidth, told?.chipWidth), choose(height, askedHeight, told?.chipHeight)];
}

/** `(pixel * scale - mean) / std` is `(pixel - mean / scale) / (std / scale)`. */
function normalizationOf(model: OnnxModel, { normalization = {} }: OnnxSpec, bands: number): { offset: number[]; divisor: number[] } {
  const list = (field: "scale" | "mean" | "std", fallback: number): readonly number[] => {
    const value = normalization[field] ?? fallback;
    const all = typeof value === "number" ? Array.from({ length: bands }, () => value) : value;
    if (all.length !== bands) throw contradiction(model, `normalization.${field}`, `${all.length} numbers`, `${bands} bands`);
    if (field !== "mean" && all.some((v) => v === 0)) throw contradiction(model, `normalization.${field}`, "0", "a divisor is not 0");
    return all;
  };
  const [scale, mean, std] = [list("scale", 1), list("mean", 0), list("std", 1)];
  return { offset: mean.map((value, i) => value / scale[i]!), divisor: std.map((value, i) => value / scale[i]!) };
}

function outputOf(
  model: OnnxModel,
  spec: OnnxSpec,
  task: Task,
  layout: ImageLayout,
  ownValues: "scores" | "logits" | null,
): { frame: OnnxConfig["output"]; channels: number | null } {
  const { outputs } = model.graph;
  if (task === "objectDetection" || task === "instanceSegmentation") {
    const named = (field: "boxes" | "scores" | "labels" | "masks"): string => only(model, outputs, spec[field] ?? field, "output").name;
    const arrays = { boxes: named("boxes"), scores: named("scores"), labels: named("labels") };
    const masks = task === "instanceSegmentation" ? { masks: named("masks") } : {};
    const told = { order: spec.boxOrder ?? "xyxy", unit: spec.boxUnit ?? "pixels" } as const;
    return { frame: { kind: "objects", ...arrays, ...masks, ...told }, channels: null };
  }
  const output = only(model, outputs, spec.output, "output");
  const values = spec.activation === undefined ? (ownValues ?? valuesOf(model, output)) : VALUES[spec.activation];
  if (task === "objectClassification") {
    if (values === "classes") throw contradiction(model, "activation", "argmax", "classifying objects needs a score for each class");
    return { frame: { kind: "image", name: output.name, values }, channels: null };
  }
  const order = spec.outputLayout ?? outputLayout(model, output, layout, spec.classes?.length ?? null);
  const side = order === "NHW" ? 1 : output.dims?.[order.indexOf("C")];
  const channels = typeof side === "number" ? side : null;
  return { frame: { kind: "pixels", name: output.name, layout: order, values, channels: channels ?? 1, enlarge: 1 }, channels };
}

const VALUES = { logits: "logits", softmax: "scores", sigmoid: "scores", argmax: "classes" } as const;

/** Operations that move numbers about and leave them what they are. */
const MOVERS = new Set(["Identity", "Transpose", "Reshape", "Cast", "Squeeze", "Unsqueeze", "Flatten"]);

/** What the last operation that computes says about the output. */
function valuesOf({ graph }: OnnxModel, { name, type }: OnnxValueInfo): "logits" | "scores" | "classes" {
  if (type !== null && /^u?int/.test(type)) return "classes";
  const producers = new Map(graph.nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)));
  let node = producers.get(name);
  for (let steps = 0; node !== undefined && MOVERS.has(node.type) && steps < 64; steps++) node = producers.get(node.inputs[0] ?? "");
  if (node?.type === "ArgMax") return "classes";
  return node?.type === "Softmax" || node?.type === "Sigmoid" ? "scores" : "logits";
}

function outputLayout(
  model: OnnxModel,
  { name, dims }: OnnxValueInfo,
  input: ImageLayout,
  classes: number | null,
): "NCHW" | "NHWC" | "NHW" {
  if (dims?.length === 3) return "NHW";
  if (dims?.length !== 4)
    throw missing(model, "outputLayout", `what the sides of its output "${name}" are`, 'Give `outputLayout: "NCHW"` or another order.');
  const [, second, , last] = dims;
  if (classes !== null && second !== last && (second === classes || last === classes)) return second === classes ? "NCHW" : "NHWC";
  return input === "NCHW" || input === "CHW" ? "NCHW" : "NHWC";
}

function missing({ source }: OnnxModel, field: string, what: string, hint: string): GeoLearnError {
  return new GeoLearnError("INVALID_ARGUMENT", `${source} does not say ${what}.`, { hint, data: { field } });
}

function contradiction({ source }: OnnxModel, field: string, given: string, found: string): GeoLearnError {
  return new GeoLearnError("INVALID_ARGUMENT", `${source} does not fit its description: ${field} says ${given}, but ${found}.`, {
    hint: `Correct ${field}, or leave it out to take it from the file.`,
    data: { field },
  });
}
