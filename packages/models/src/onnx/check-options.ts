/** What an export to ONNX is told is looked at before anything is made. */

import { checkOptionNames, GeoLearnError, type OptionNames, showValue } from "@geolearn/core";

import type { ModelManifest } from "../manifest.ts";
import type { AnyNetwork, DecodeOptions } from "../network.ts";
import { checkChipSize, type ChipSizeRule, nearestSides } from "../network/chip-size.ts";
import type { ToOnnxOptions } from "./exported.ts";

/** The network an export is of. */
type Exported = Pick<AnyNetwork, "task"> & ChipSizeRule;
type Chips = Pick<ModelManifest, "chipWidth" | "chipHeight">;

const DECODING: OptionNames<DecodeOptions> = { minScore: true, nmsOverlap: true, maxDetections: true };

/** Names of {@link ToOnnxOptions}. */
export const TO_ONNX_OPTIONS: OptionNames<ToOnnxOptions> = { size: true, batch: true, output: true, ...DECODING };

/** @throws INVALID_ARGUMENT for values that there are not, and for those that the network cannot be written with */
export function checkToOnnx(network: Exported, chips: Chips, options: ToOnnxOptions): void {
  const { size, batch, output } = options;
  if (size !== undefined && size !== "free" && size !== "chip")
    throw wrong("size", size, '"free" or "chip"', sizeHint(network, chips, size));
  if (batch !== undefined && batch !== "free" && !isCount(batch)) throw wrong("batch", batch, '"free" or a whole number from 1 to 65536');
  if (output !== undefined && output !== "scores" && output !== "logits") throw wrong("output", output, '"scores" or "logits"');
  const objects = findsObjects(network);
  if (objects) checkObjects(options);
  else refuseDecoding(options);
  if (objects || size === "chip") checkChipSize(network, chips.chipWidth, chips.chipHeight);
}

/** Anchors are constants of the graph, and boxes are suppressed image by image. */
function checkObjects({ size, batch, output, minScore, nmsOverlap, maxDetections }: ToOnnxOptions): void {
  if (size === "free") throw refused("size", "one size", '"chip"');
  if (batch === "free") throw refused("batch", "a fixed number of images", "a number");
  if (output === "logits") throw refused("output", "the objects it finds, with their scores", '"scores"');
  for (const [field, value] of Object.entries({ minScore, nmsOverlap }))
    if (value !== undefined && !(value >= 0 && value <= 1)) throw wrong(field, value, "a number from 0 to 1");
  if (maxDetections !== undefined && !isCount(maxDetections)) throw wrong("maxDetections", maxDetections, "a whole number from 1 to 65536");
}

/** A setting that nothing reads must not look as if it had a say. */
function refuseDecoding(options: ToOnnxOptions): void {
  const field = (Object.keys(DECODING) as (keyof DecodeOptions)[]).find((name) => options[name] !== undefined);
  if (field === undefined) return;
  throw new GeoLearnError("INVALID_ARGUMENT", `\`${field}\` is a setting of networks that find objects.`, {
    hint: `Leave out \`${field}\`.`,
    data: { field },
  });
}

/** @throws INVALID_ARGUMENT for options that `toOnnx` does not have */
export function checkToOnnxNames(options: ToOnnxOptions): void {
  checkOptionNames(options, TO_ONNX_OPTIONS, "toOnnx()");
}

function findsObjects({ task }: Exported): boolean {
  return task === "objectDetection" || task === "instanceSegmentation";
}

/** Which sizes there are, where somebody asked for one in pixels. */
function sizeHint(network: Exported, { chipWidth, chipHeight }: Chips, size: unknown): string {
  const chip = `\`size: "chip"\` fixes it to ${chipWidth} x ${chipHeight} pixels, the size of its chips`;
  if (findsObjects(network)) return `${chip}; a network that finds objects is written for no other.`;
  const { stride } = network;
  const near = typeof size === "number" && size >= 1 ? nearestSides(network, size).filter((side) => side !== null) : [];
  const such = near.length === 0 ? "" : `, such as ${near.join(" or ")}`;
  const sides = stride === 1 ? "sides of any length" : `sides that are multiples of ${stride}${such}`;
  return `With \`size: "free"\` the file takes images of ${sides}; ${chip}.`;
}

function isCount(value: unknown): boolean {
  return typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= 65536;
}

function wrong(field: string, value: unknown, expected: string, hint = `Change \`${field}\`, or leave it out.`): GeoLearnError {
  return new GeoLearnError("INVALID_ARGUMENT", `toOnnx got ${field} ${showValue(value)}, expected ${expected}.`, {
    hint,
    data: { field },
  });
}

function refused(field: string, what: string, way: string): GeoLearnError {
  return new GeoLearnError(
    "INVALID_ARGUMENT",
    `A network that finds objects is written for ${what}; \`${field}\` asks for something else.`,
    {
      hint: `Leave out \`${field}\`, or give ${way}.`,
      data: { field },
    },
  );
}
