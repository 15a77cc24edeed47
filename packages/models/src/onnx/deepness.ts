/**
 * What the QGIS plugin Deepness reads in an ONNX file
 * (https://qgis-plugin-deepness.readthedocs.io/en/latest/creators/creators_add_metadata_to_model.html): JSON in `metadata_props`.
 */

import type { Task } from "@geolearn/core";

import type { ModelManifest } from "../manifest.ts";

/** Deepness divides pixels by this before anything else. */
const PIXEL_SCALE = 255;
/** Share of a tile that neighbours share, in percent: a quarter at each side. */
const OVERLAP_PERCENT = 50;

const TYPES: Readonly<Record<Task, string>> = {
  pixelClassification: "Segmentor",
  objectDetection: "Detector",
  instanceSegmentation: "Detector",
  objectClassification: "Recognition",
};

/** Deepness's keys for a model whose normalization is part of the graph. */
export function deepnessMetadata({ task, classes, resolution, chipWidth, bandIndices }: ModelManifest): Record<string, string> {
  const values: Record<string, unknown> = {
    model_type: TYPES[task],
    class_names: Object.fromEntries(classes.map(({ name }, i) => [i, name])),
    tile_size: chipWidth,
    tiles_overlap: OVERLAP_PERCENT,
    // (pixel / 255 - 0) / (1 / 255) is the pixel again.
    standardization_mean: bandIndices.map(() => 0),
    standardization_std: bandIndices.map(() => 1 / PIXEL_SCALE),
    // 0 switches both off: the class with the highest score counts, however high it is, and nothing is smoothed.
    seg_thresh: 0,
    seg_small_segment: 0,
    ...(resolution === null ? {} : { resolution: centimetres(resolution) }),
  };
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, JSON.stringify(value)]));
}

const centimetres = (metres: number): number => Number((100 * metres).toPrecision(9));

/** What Deepness's keys say, as far as they say it. */
export interface DeepnessDescription {
  readonly task: Task | null;
  readonly classNames: readonly string[] | null;
  /** Metres. */
  readonly resolution: number | null;
  readonly tileSize: number | null;
  /** `(pixel - offset) / divisor` per band. */
  readonly normalization: { readonly offset: readonly number[]; readonly divisor: readonly number[] } | null;
}

/** Reads Deepness's keys; null when the file has none of them. What cannot be understood counts as not said. */
export function readDeepness(metadata: ReadonlyMap<string, string>, bands: number | null): DeepnessDescription | null {
  const found = ["model_type", "class_names", "names", "resolution", "tile_size", "tiles_size", "standardization_mean"];
  if (!found.some((key) => metadata.has(key))) return null;
  const value = (key: string): unknown => parsed(metadata.get(key));
  const type = value("model_type");
  const number = (key: string): number | null => {
    const given = value(key);
    return typeof given === "number" && Number.isFinite(given) && given > 0 ? given : null;
  };
  const resolution = number("resolution");
  return {
    task: (Object.entries(TYPES).find(([, word]) => word.toLowerCase() === String(type).toLowerCase())?.[0] as Task | undefined) ?? null,
    classNames: classNames(metadata.get("class_names") ?? metadata.get("names")),
    resolution: resolution === null ? null : resolution / 100,
    tileSize: number("tile_size") ?? number("tiles_size"),
    normalization: metadata.has("model_type") ? normalization(value("standardization_mean"), value("standardization_std"), bands) : null,
  };
}

/** `{"0": "background"}`, or as Python prints it, `{0: 'background'}`. */
function classNames(text: string | undefined): readonly string[] | null {
  const given = parsed(text) ?? parsed(text?.replace(/([{,]\s*)(\d+)(\s*:)/g, '$1"$2"$3').replace(/'((?:[^'"\\])*)'/g, '"$1"'));
  if (typeof given !== "object" || given === null) return null;
  const entries = Object.entries(given as Record<string, unknown>);
  const names = entries.toSorted(([a], [b]) => Number(a) - Number(b)).map(([, name]) => name);
  const whole = entries.length > 0 && entries.length <= 4096 && entries.every(([key]) => Number(key) >= 0 && Number(key) < entries.length);
  return whole && names.every((name) => typeof name === "string") ? (names as string[]) : null;
}

function normalization(mean: unknown, std: unknown, bands: number | null): DeepnessDescription["normalization"] {
  const isList = (list: unknown): list is number[] =>
    Array.isArray(list) && list.every((v) => typeof v === "number" && Number.isFinite(v)) && (bands === null || list.length === bands);
  if (isList(mean) && isList(std) && std.every((v) => v > 0))
    return { offset: mean.map((v) => v * PIXEL_SCALE), divisor: std.map((v) => v * PIXEL_SCALE) };
  if (bands === null) return null;
  return { offset: Array.from({ length: bands }, () => 0), divisor: Array.from({ length: bands }, () => PIXEL_SCALE) };
}

function parsed(text: string | undefined): unknown {
  if (text === undefined || text.length > 1 << 20) return null;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}
