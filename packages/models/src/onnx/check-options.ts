/** What an export to ONNX is told is looked at before anything is made. */

import { GeoLearnError, type OptionRules, rules, wrongOption } from "@geolearn/core";

import type { ModelManifest } from "../manifest.ts";
import type { AnyNetwork, DecodeOptions } from "../network.ts";
import { checkChipSize, type ChipSizeRule, nearestSides } from "../network/chip-size.ts";
import type { ToOnnxOptions } from "./exported.ts";

/** The network an export is of. */
type Exported = Pick<AnyNetwork, "task"> & ChipSizeRule;
type Chips = Pick<ModelManifest, "chipWidth" | "chipHeight">;

const COUNT = rules.whole(1, 65536);
const DECODING: OptionRules<DecodeOptions> = { minScore: rules.share, nmsOverlap: rules.share, maxDetections: COUNT };
const SIZE = rules.oneOf("free", "chip");

/** Rules for {@link ToOnnxOptions}. */
export const TO_ONNX_RULES: OptionRules<ToOnnxOptions> = {
  // Which sizes there are is known to the network.
  size: rules.any,
  batch: rules.either(rules.oneOf("free"), { ...COUNT, expected: `or ${COUNT.expected}` }),
  output: rules.oneOf("scores", "logits"),
  ...DECODING,
};

/** @throws INVALID_ARGUMENT for values that the network cannot be written with */
export function checkToOnnx(network: Exported, chips: Chips, options: ToOnnxOptions): void {
  const { size } = options;
  if (size !== undefined && !SIZE.accepts(size))
    throw wrongOption("toOnnx()", "size", size, { ...SIZE, hint: sizeHint(network, chips, size) });
  const objects = findsObjects(network);
  if (objects) checkObjects(options);
  else refuseDecoding(options);
  if (objects || size === "chip") checkChipSize(network, chips.chipWidth, chips.chipHeight);
}

/** Anchors are constants of the graph, and boxes are suppressed image by image. */
function checkObjects({ size, batch, output }: ToOnnxOptions): void {
  if (size === "free") throw refused("size", "one size", '"chip"');
  if (batch === "free") throw refused("batch", "a fixed number of images", "a number");
  if (output === "logits") throw refused("output", "the objects it finds, with their scores", '"scores"');
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
