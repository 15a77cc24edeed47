/** The input of an exported network, with its free sides. */

import type { ExportInput, FreeSide } from "@geolearn/engine";

import type { ModelManifest } from "../manifest.ts";
import type { ChipSizeRule } from "../network/chip-size.ts";
import type { ToOnnxOptions } from "./exported.ts";

/** `[batch, height, width, bands]` as the options ask for it. */
export function inputShape(
  network: ChipSizeRule,
  manifest: ModelManifest,
  { size, batch }: Required<Pick<ToOnnxOptions, "size" | "batch">>,
): ExportInput["shape"] {
  const images = batch === "free" ? free("batch", 1, 2) : batch;
  const bands = manifest.bandIndices.length;
  if (size === "chip") return [images, manifest.chipHeight, manifest.chipWidth, bands];
  const { stride, margin = 0 } = network;
  // Any two sizes would do, as long as something is left of the smallest map and of the image within the margin.
  const least = Math.max(2, Math.ceil((2 * margin + 1) / stride)) * stride;
  return [images, free("height", least, least + stride), free("width", least + 2 * stride, least), bands];
}

const free = (name: string, first: number, second: number): FreeSide => ({ name, examples: [first, second] });
