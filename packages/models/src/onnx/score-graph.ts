/** The graph of a package as everybody runs it: raw pixels in. */

import { GeoLearnError } from "@geolearn/core";
import { frameOnnxModel, type OnnxModel, parseOnnxModel } from "@geolearn/engine";

import type { ModelPackage } from "../package/read.ts";
import { refuseOtherClasses } from "./class-count.ts";
import type { OnnxConfig } from "./spec.ts";

/** What {@link scoreGraph} is to take. */
export interface BlockShape {
  /** Images of every run. */
  readonly batch: number;
  /** @defaultValue the package's chip size */
  readonly height?: number;
  /** @defaultValue the package's chip size */
  readonly width?: number;
}

/**
 * The ONNX graph of a package, framed: its only input takes blocks `[batch, height, width, bands]`. Of pixel classification its only output gives
 * scores `[batch, height - 2 margin, width - 2 margin, classes]`; of other tasks the outputs stay what they are: scores or logits `[batch, classes]`
 * of whole images, the arrays of a detector.
 *
 * @throws INVALID_ARGUMENT for a package without a graph, or with more or fewer classes than the graph tells apart; CHIPS_MISMATCH where the file is fixed to another size
 *
 * @example
 * const session = await openOnnxSession(scoreGraph(await readModelPackage("roads.dlpk"), { batch: 4 }));
 */
export function scoreGraph(
  { manifest, onnx, source }: ModelPackage,
  { batch, height = manifest.chipHeight, width = manifest.chipWidth }: BlockShape,
): OnnxModel {
  const { graph, classes, bandIndices } = manifest;
  if (onnx === null || graph === undefined) {
    throw new GeoLearnError("INVALID_ARGUMENT", `${source} holds no graph; geolearn builds its network.`, { hint: "Use loadNetwork()." });
  }
  const { input: name, layout, offset, divisor, output } = graph;
  const shape = [batch, height, width, bandIndices.length] as const;
  const model = parseOnnxModel(onnx, source);
  refuseOtherSize(model, graph, height, width);
  refuseOtherClasses(manifest, model, "INVALID_ARGUMENT");
  const frame = { name, layout, shape, offset: offset ?? undefined, divisor: divisor ?? undefined };
  if (output.kind !== "pixels") return frameOnnxModel(model, frame, null);
  return frameOnnxModel(model, frame, { ...output, classes: classes.length });
}

/** A file may be fixed to one size. */
function refuseOtherSize(model: OnnxModel, { input, layout }: OnnxConfig, height: number, width: number): void {
  const dims = model.graph.inputs.find(({ name }) => name === input)?.dims;
  if (!dims || dims.length !== layout.length) return;
  const [fixedHeight, fixedWidth] = [dims[layout.indexOf("H")], dims[layout.indexOf("W")]];
  const fits = (fixed: unknown, side: number): boolean => typeof fixed !== "number" || fixed === side;
  if (fits(fixedHeight, height) && fits(fixedWidth, width)) return;
  throw new GeoLearnError(
    "CHIPS_MISMATCH",
    `${model.source} takes chips of ${String(fixedWidth)} x ${String(fixedHeight)} pixels only; these are ${width} x ${height}.`,
    { hint: "Use chips of that size.", data: { width, height } },
  );
}
