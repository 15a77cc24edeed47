/** An ONNX file of anyone as a model package: described, run once, and then used like any other. */

import { basename } from "node:path";

import { GeoLearnError, type ClassDefinition } from "@geolearn/core";
import {
  FRAMED_INPUT,
  type HostTensor,
  type OnnxModel,
  type ReadOnnxOptions,
  frameOnnxModel,
  openOnnxSession,
  readOnnxModel,
  startEngine,
} from "@geolearn/engine";

import type { ModelManifest } from "../manifest.ts";
import { FORMAT_VERSION, checkManifest } from "../package/manifest-schema.ts";
import type { ModelPackage } from "../package/read.ts";
import { countsApart, tellsApart } from "./class-count.ts";
import { classesFrom } from "./classes.ts";
import { type ResolvedSpec, resolveSpec } from "./resolve-spec.ts";
import { type OnnxConfig, type OnnxSpec, checkOnnxSpec } from "./spec.ts";

/**
 * Reads an ONNX model made by anyone, finds out what its spec leaves open, and runs it once on an empty chip. The result is a model
 * package: `writeModelPackage` saves it, `classifyPixels` takes it. Starts the engine if it does not run yet.
 *
 * @throws what `readOnnxModel` throws; INVALID_ARGUMENT for a spec that lacks or contradicts something; ENGINE_FAILED when ONNX Runtime
 * cannot run the model
 * @example
 * const pkg = await openOnnx("landcover.onnx", { task: "pixelClassification", normalization: { scale: 1 / 255 } });
 */
export async function openOnnx(source: string | Uint8Array, spec: OnnxSpec = {}, options: ReadOnnxOptions = {}): Promise<ModelPackage> {
  const model = await readOnnxModel(source, options);
  const fallback = typeof source === "string" ? basename(source).replace(/\.onnx$/i, "") : "model";
  const resolved = resolveSpec(model, checkOnnxSpec(spec), fallback);
  await startEngine();
  const outputs = await runOnce(model, resolved);
  const { config, classes } = completed(model, resolved, outputs);
  const described = { ...resolved.manifest, config: configOf(model, resolved, classes.length), graph: config, classes };
  const manifest = checkManifest(described, model.source, "INVALID_ARGUMENT");
  return { source: model.source, formatVersion: FORMAT_VERSION, manifest, weights: new Map(), onnx: model.bytes, preview: null };
}

async function runOnce(model: OnnxModel, { config, manifest }: ResolvedSpec): Promise<Record<string, HostTensor>> {
  const { input: name, layout, offset, divisor } = config;
  const shape = [config.batch ?? 1, manifest.chipHeight, manifest.chipWidth, manifest.bandIndices.length] as const;
  const framed = frameOnnxModel(model, { name, layout, shape, offset: offset ?? undefined, divisor: divisor ?? undefined }, null);
  const session = await openOnnxSession(framed);
  try {
    const data = new Float32Array(shape.reduce((product, side) => product * side, 1));
    return await session.run({ [FRAMED_INPUT]: { data, shape, dtype: "float32" } });
  } finally {
    await session.dispose();
  }
}

function completed(
  model: OnnxModel,
  resolved: ResolvedSpec,
  outputs: Readonly<Record<string, HostTensor>>,
): { config: OnnxConfig; classes: readonly ClassDefinition[] } {
  const { config, manifest } = resolved;
  const { output } = config;
  if (output.kind === "objects") {
    const boxes = outputs[output.boxes]!.shape;
    if (boxes.at(-1) !== 4) throw unfit(model, `its output "${output.boxes}" is [${boxes.join(", ")}], boxes have 4 numbers`, "boxes");
    return { config, classes: resolved.classes ?? classesFrom(["background", "object"]) };
  }
  const { shape } = outputs[output.name]!;
  if (output.kind === "image") return { config, classes: classesFor(model, resolved, shape.at(-1)!) };
  if (shape.length !== output.layout.length)
    throw unfit(model, `its output "${output.name}" is [${shape.join(", ")}], not ${output.layout}`, "outputLayout");
  const at = (letter: string): number => shape[output.layout.indexOf(letter)]!;
  const channels = output.layout === "NHW" ? 1 : at("C");
  if (output.values === "classes" && resolved.classes === null)
    throw unfit(model, "it gives numbers of classes without saying how many there are", "classes");
  if (output.values === "classes" && channels !== 1) throw unfit(model, `its numbers of classes have ${channels} channels`, "activation");
  const classes = output.values === "classes" ? resolved.classes! : classesFor(model, resolved, channels);
  const { margin, enlarge } = fit(model, manifest, at("H"), at("W"), resolved.margin);
  return { config: { ...config, margin, output: { ...output, channels, enlarge } }, classes };
}

/** What a classifier of geolearn keeps of how it decides, under the same names. */
function configOf(model: OnnxModel, { several }: ResolvedSpec, classes: number): ModelManifest["config"] {
  if (several === null) return {};
  const thresholds = several.thresholds ?? Array.from({ length: classes }, () => 0.5);
  if (thresholds.length === classes) return { multiLabel: true, thresholds };
  throw unfit(model, `${thresholds.length} thresholds are given for ${classes} classes`, "thresholds");
}

function classesFor(model: OnnxModel, { classes, several }: ResolvedSpec, channels: number): readonly ClassDefinition[] {
  const count = channels === 1 ? 2 : channels;
  if (classes === null) return classesFrom(Array.from({ length: count }, (_, i) => (i === 0 ? "background" : `class ${i}`)));
  // One class of one channel would be everywhere, whatever the score, unless an image may have none.
  const alone = classes.length === 1 && several === null;
  if (tellsApart(channels, classes.length) && !alone) return classes;
  const { what, hint } = countsApart(channels, classes.length);
  throw unfit(model, what, "classes", hint);
}

/** How the result lies on the chip: all of it, its middle, or smaller by a whole factor. */
function fit(
  model: OnnxModel,
  { chipWidth, chipHeight }: Pick<ModelManifest, "chipWidth" | "chipHeight">,
  height: number,
  width: number,
  given: number | null,
): { margin: number; enlarge: number } {
  const factor = chipHeight / height;
  if (given === null && Number.isInteger(factor) && chipWidth / width === factor) return { margin: 0, enlarge: factor };
  const margin = given ?? (chipHeight - height) / 2;
  if (Number.isInteger(margin) && margin >= 0 && chipHeight - 2 * margin === height && chipWidth - 2 * margin === width)
    return { margin, enlarge: 1 };
  throw unfit(
    model,
    `for a chip of ${chipWidth} x ${chipHeight} pixels it gives ${width} x ${height}`,
    given === null ? "chipSize" : "margin",
  );
}

function unfit({ source }: OnnxModel, what: string, field: string, hint = `Give or correct \`${field}\`.`): GeoLearnError {
  return new GeoLearnError("INVALID_ARGUMENT", `${source} does not fit its description: ${what}.`, {
    hint,
    data: { field },
  });
}
