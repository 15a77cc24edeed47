/** Anchors that follow the data, where nobody has said any. */

import type { ObjectData } from "@geolearn/data-prep";
import { fitAnchors } from "@geolearn/models";

import type { AnyData } from "../tasks/task.ts";
import type { LearnerOptions } from "./options.ts";

/** Boxes that are looked at: those of the first chips of training's first epoch. */
const BOXES = 1000;
/** Anchors stay as they are when this share of the boxes has one that overlaps it by half or more, */
const ENOUGH = 0.75;
/** and when other sizes raise the share by less than this. */
const WORTHWHILE = 0.1;

/**
 * Sizes of anchors for the boxes of the training chips, where those of the network's defaults fit them badly; else nothing. Chips are read in the order of the first
 * epoch, so the same data always give the same sizes.
 */
export async function fittingAnchors(
  modelType: string,
  config: Readonly<Record<string, unknown>>,
  data: AnyData,
  { log, signal }: LearnerOptions,
): Promise<{ readonly anchors?: { readonly sizes: readonly number[] } }> {
  if (data.task !== "objectDetection" && data.task !== "instanceSegmentation") return {};
  const image = { width: data.chipWidth, height: data.chipHeight };
  if (fitAnchors(modelType, config, image, Float32Array.of(0, 0, 1, 1)) === null) return {};
  const boxes = await boxesOf(data as ObjectData, signal);
  const fitted = fitAnchors(modelType, config, image, boxes);
  if (fitted === null || fitted.before >= ENOUGH || fitted.after - fitted.before < WORTHWHILE) return {};
  const { sizes, before, after } = fitted;
  const percent = (share: number): string => `${Math.round(100 * share)} %`;
  log?.(
    `Anchors are ${sizes.join(", ")} pixels, after the objects: an anchor overlaps ${percent(after)} of them by half or more, of the default ones ${percent(before)}. Give sizes of your own as \`anchors.sizes\` to override it.`,
  );
  return { anchors: { sizes } };
}

async function boxesOf({ train }: ObjectData, signal: AbortSignal | undefined): Promise<Float32Array> {
  const found: number[] = [];
  for await (const { boxes, classIndices } of train.read({ epoch: 0, ...(signal === undefined ? {} : { signal }) })) {
    for (const [slot, index] of classIndices.entries()) if (index >= 0) found.push(...boxes.subarray(4 * slot, 4 * slot + 4));
    if (found.length >= 4 * BOXES) break;
  }
  return Float32Array.from(found.slice(0, 4 * BOXES));
}
