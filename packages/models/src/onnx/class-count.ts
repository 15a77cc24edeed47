/** Classes that are described, and channels that a graph gives. */

import { type ErrorCode, GeoLearnError } from "@geolearn/core";
import type { OnnxModel } from "@geolearn/engine";

import type { ModelManifest } from "../manifest.ts";
import type { OnnxConfig } from "./spec.ts";

/** Whether a graph of so many channels tells so many classes apart: each has a channel, but a single one, as a logistic function gives it, may tell two apart. */
export function tellsApart(channels: number, classes: number): boolean {
  return channels === classes || (channels === 1 && classes === 2);
}

/** Both counts, and what goes together, for messages. */
export function countsApart(channels: number, classes: number): { readonly what: string; readonly hint: string } {
  const counted = (count: number, one: string, many: string): string => `${count} ${count === 1 ? one : many}`;
  return {
    what: `${counted(classes, "class is", "classes are")} given for ${counted(channels, "channel", "channels")} of its output`,
    hint:
      channels === 1
        ? "Give or correct `classes`: a single channel tells two apart, and its score is that of the second."
        : "Give or correct `classes`: one for each channel, in their order, a background among them.",
  };
}

/** Refuses a package whose graph tells other classes apart than it lists, where the channels are known without a run. @throws the given code */
export function refuseOtherClasses({ graph, classes }: ModelManifest, model: OnnxModel, code: ErrorCode): void {
  const channels = graph === undefined ? null : channelsOf(graph, model);
  if (channels === null || tellsApart(channels, classes.length)) return;
  const { what, hint } = countsApart(channels, classes.length);
  throw new GeoLearnError(code, `${model.source} does not fit its description: ${what}.`, {
    hint,
    data: { field: "classes", classes: classes.length, channels },
  });
}

/** Channels of a graph; null of detectors, of numbers of classes, and where only a run tells. */
function channelsOf({ output }: OnnxConfig, { graph }: OnnxModel): number | null {
  if (output.kind === "objects" || (output.kind === "pixels" && output.values === "classes")) return null;
  const dims = graph.outputs.find(({ name }) => name === output.name)?.dims;
  const stored = output.kind === "pixels" ? output.channels : null;
  if (output.kind === "pixels" && output.layout === "NHW") return stored;
  const side = output.kind === "pixels" ? dims?.[output.layout.indexOf("C")] : dims?.at(-1);
  return typeof side === "number" ? side : stored;
}
