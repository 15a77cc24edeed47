/** Writing a model as an ONNX file, with its STAC item beside it. */

import { dirname, relative, sep } from "node:path";

import { checkOptions, GeoLearnError, type OptionRules, rules, writeAtomic } from "@geolearn/core";
import { parseOnnxModel } from "@geolearn/engine";

import { definedModel } from "../extension/defined.ts";
import type { ModelManifest } from "../manifest.ts";
import type { AnyNetwork } from "../network.ts";
import { loadNetwork } from "../package/load.ts";
import type { ModelPackage } from "../package/read.ts";
import { checkToOnnx, TO_ONNX_RULES } from "./check-options.ts";
import { type OnnxOutput, portOf, type ToOnnxOptions } from "./exported.ts";
import { ONNX_MODEL_TYPE } from "./spec.ts";
import { toOnnx } from "./to-onnx.ts";

/** Options of {@link saveOnnx}. */
export interface SaveOnnxOptions extends ToOnnxOptions {
  /** Where a STAC item that describes the file goes (`.json`). @defaultValue none is written */
  readonly stac?: string;
}

const RULES: OptionRules<SaveOnnxOptions> = { ...TO_ONNX_RULES, stac: rules.path };

/** A written ONNX file. */
export interface SavedOnnx {
  readonly out: string;
  /** Path of the STAC item, or null. */
  readonly stac: string | null;
  readonly bytes: number;
  /** Version of ONNX's operators. */
  readonly opset: number;
  /** `[batch, bands, height, width]`; a name stands for a free side. */
  readonly inputShape: readonly (number | string)[];
  /** Shape of the first output. */
  readonly outputShape: readonly (number | string)[];
  /** Every output of the file: one of scores, or boxes, labels, scores and perhaps masks. */
  readonly outputs: readonly OnnxOutput[];
}

/**
 * Writes a network, or the network of a package, as an ONNX file; see {@link toOnnx} for what is in it. `startEngine` must have finished.
 *
 * @throws UNSUPPORTED_FORMAT for another extension; what {@link toOnnx} throws; DISK_FULL, WRITE_FAILED
 * @example
 * await saveOnnx("buildings.onnx", await readModelPackage("buildings.dlpk"), { stac: "buildings.json" });
 */
export async function saveOnnx(
  path: string,
  model: ModelPackage | { readonly network: AnyNetwork; readonly manifest: ModelManifest },
  given: SaveOnnxOptions = {},
): Promise<SavedOnnx> {
  checkGiven(path, given);
  const { stac, ...options } = given;
  if (!("network" in model) && model.onnx !== null && definedModel(model.manifest.modelType) === null)
    return saveAsItIs(path, model, model.onnx, given);
  const network = "network" in model ? model.network : loadNetwork(model);
  try {
    const exported = toOnnx(network, model.manifest, options);
    const { bytes, opset, inputShape, outputShape, outputs } = exported;
    await writeAtomic(path, bytes);
    if (stac !== undefined) await writeAtomic(stac, `${JSON.stringify(exported.stac(hrefFrom(stac, path)), null, 2)}\n`);
    return { out: path, stac: stac ?? null, bytes: bytes.length, opset, inputShape, outputShape, outputs };
  } finally {
    if (!("network" in model)) network.dispose();
  }
}

/**
 * Looks at what {@link saveOnnx} is told, which does so first, for those who have something to prepare before it.
 *
 * @throws UNSUPPORTED_FORMAT for another extension; INVALID_ARGUMENT; CHIP_SIZE_NOT_DIVISIBLE
 */
export function checkSaveOnnx(
  path: string,
  network: AnyNetwork,
  chips: Pick<ModelManifest, "chipWidth" | "chipHeight">,
  options: SaveOnnxOptions,
): void {
  checkGiven(path, options);
  checkToOnnx(network, chips, options);
}

function checkGiven(path: string, options: SaveOnnxOptions): void {
  checkExtension(path, "onnx", "An ONNX model");
  checkOptions(options, RULES, "toOnnx()");
  if (options.stac !== undefined) checkExtension(options.stac, "json", "A STAC item");
}

/** The file inside a package around one, where the code of its network is not there. */
async function saveAsItIs(
  path: string,
  { source, manifest }: ModelPackage,
  onnx: Uint8Array,
  options: SaveOnnxOptions,
): Promise<SavedOnnx> {
  const usual: ToOnnxOptions = { size: "free", batch: "free", output: "scores" };
  const given = (Object.keys(options) as (keyof SaveOnnxOptions)[]).filter((field) => options[field] !== undefined);
  const field = given.find((name) => name === "stac" || options[name] !== usual[name]);
  if (field !== undefined) {
    const own =
      manifest.modelType === ONNX_MODEL_TYPE ? "" : `, or import the module that defines "${manifest.modelType}" and save it from there`;
    throw new GeoLearnError("INVALID_ARGUMENT", `${source} is built around an ONNX file, which is written as it is.`, {
      hint: `Leave out \`${field}\`${own}.`,
      data: { field },
    });
  }
  const { graph, opsets } = parseOnnxModel(onnx, source);
  await writeAtomic(path, onnx);
  const outputs = graph.outputs.map(portOf);
  const inputShape = graph.inputs[0] === undefined ? [] : portOf(graph.inputs[0]).shape;
  const shapes = { inputShape, outputShape: outputs[0]?.shape ?? [], outputs };
  return { out: path, stac: null, bytes: onnx.length, opset: opsets.get("") ?? 0, ...shapes };
}

function checkExtension(path: string, extension: string, what: string): void {
  if (String(path).toLowerCase().endsWith(`.${extension}`)) return;
  throw new GeoLearnError("UNSUPPORTED_FORMAT", `${what} is saved as a .${extension} file, not as "${path}".`, {
    hint: `Use a path such as "buildings.${extension}".`,
  });
}

/** A path relative to the item, as a URL. */
function hrefFrom(item: string, file: string): string {
  const path = relative(dirname(item), file).split(sep).map(encodeURIComponent).join("/");
  return path.startsWith("..") ? path : `./${path}`;
}
