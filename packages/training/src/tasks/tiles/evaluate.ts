/** How well a classifier of whole chips does on the validation side. */

import { GeoLearnError, multiLabelMetrics, type TileMetrics, tileMetrics } from "@geolearn/core";
import type { ChipSet, TileBatch, TileData } from "@geolearn/data-prep";

import { readAhead } from "../../learner/read-ahead.ts";
import { exampleBatches } from "../example-batches.ts";
import type { TaskEvaluation } from "../task.ts";
import type { TileEvaluationStep, TileResult } from "./graph.ts";
import type { TileExample } from "./results.ts";

/** Result of an evaluation; its loss is that of all chips together. */
export interface TileEvaluation extends TileMetrics, TaskEvaluation {}

/** What an evaluation runs on. */
export interface TileContext {
  readonly data: TileData;
  readonly step: TileEvaluationStep;
  /** Score from which a chip has a class; null where it has the one of the greatest. */
  readonly thresholds: readonly number[] | null;
}

/** Loss and metrics over a set of chips. Padding chips do not count. */
export async function evaluateTiles(context: TileContext, chips: ChipSet<TileBatch>, signal?: AbortSignal): Promise<TileEvaluation> {
  const { data, step, thresholds } = context;
  const classes = data.classes.length;
  const perChip = data.multiLabel ? classes : 1;
  const scores: number[] = [];
  const truth: number[] = [];
  let [lossSum, weightSum, known] = [0, 0, true];
  for await (const batch of readAhead(chips.read(signal && { signal }))) {
    signal?.throwIfAborted();
    const result = await step.run(batch);
    for (let i = 0; i < batch.real * classes; i++) scores.push(result.scores[i]!);
    for (let i = 0; i < batch.real * perChip; i++) truth.push(batch.labels[i]!);
    const { losses } = result;
    known &&= losses !== null;
    for (let i = 0; losses !== null && i < batch.real; i++) {
      lossSum += losses.values[i]!;
      weightSum += losses.weights[i]!;
    }
    if (Number.isFinite(lossSum)) continue;
    throw new GeoLearnError("LOSS_NOT_FINITE", `The validation loss is ${lossSum} on chips ${batch.names.join(", ")}.`, {
      hint: "Look at these chips; use a lower `lr`, or set `clipNorm`.",
      data: { chips: batch.names },
    });
  }
  const metrics =
    thresholds === null ? tileMetrics(scores, truth, data.classes) : multiLabelMetrics(scores, truth, data.classes, thresholds);
  return { ...metrics, loss: known && weightSum > 0 ? lossSum / weightSum : null };
}

/** What the scores of a chip say: positions of its classes, the surest first. */
export function classesOf(scores: ArrayLike<number>, thresholds: readonly number[] | null): number[] {
  const order = Array.from({ length: scores.length }, (_, k) => k).sort((a, b) => scores[b]! - scores[a]! || a - b);
  return thresholds === null ? order.slice(0, 1) : order.filter((k) => scores[k]! >= thresholds[k]!);
}

/** Some chips of a set, those with a class first, with what the network makes of them. */
export async function predictExamples(
  { data, step, thresholds }: TileContext,
  chips: ChipSet<TileBatch>,
  count: number,
  signal?: AbortSignal,
): Promise<TileExample[]> {
  const { batchSize, chipHeight: height, chipWidth: width, bands, classes, multiLabel } = data;
  const area = width * height * bands;
  const examples: TileExample[] = [];
  const classesAt = ({ labels }: TileBatch, place: number): readonly number[] =>
    multiLabel ? classes.flatMap((_, k) => (labels[place * classes.length + k] === 1 ? [k] : [])) : [labels[place]!].filter((k) => k >= 0);
  const telling = (batch: TileBatch, place: number): boolean => classesAt(batch, place).length > 0;
  for await (const [batch, places] of exampleBatches(chips, { batchSize, count, telling, signal })) {
    const { scores } = await step.run(batch);
    for (const i of places) {
      const own = scores.slice(i * classes.length, (i + 1) * classes.length);
      const truth = classesAt(batch, i);
      const found = classesOf(own, thresholds).map((k) => ({ index: k, score: own[k]! }));
      examples.push({ name: batch.names[i]!, width, height, bands, image: batch.images.slice(i * area, (i + 1) * area), truth, found });
    }
  }
  return examples;
}

/** Classes of one chip. */
export interface TilePrediction {
  /** Names of its classes, the surest first: one, or any number where a chip may have several. */
  readonly classes: readonly string[];
  /** Their values, in the same order. */
  readonly values: readonly number[];
  /** Score of each class of the data, 0 to 1, in class order. */
  readonly scores: Float32Array;
}

/** Classes of chips given as raw pixels `[count, chipHeight, chipWidth, bands]`. */
export async function predictTiles({ data, step, thresholds }: TileContext, images: Float32Array): Promise<TilePrediction[]> {
  const { batchSize, chipHeight, chipWidth, bands, classes, multiLabel } = data;
  const perChip = chipHeight * chipWidth * bands;
  if (images.length === 0 || images.length % perChip !== 0) {
    throw new GeoLearnError("INVALID_ARGUMENT", `predict got ${images.length} values.`, {
      hint: `Give whole chips of ${chipHeight} x ${chipWidth} pixels with ${bands} bands, that is a multiple of ${perChip} values.`,
    });
  }
  const labels = multiLabel ? new Uint8Array(batchSize * classes.length) : new Int32Array(batchSize).fill(-1);
  const predictions: TilePrediction[] = [];
  for (let from = 0; from < images.length; from += batchSize * perChip) {
    const part = images.subarray(from, from + batchSize * perChip);
    const batch = new Float32Array(batchSize * perChip);
    batch.set(part);
    const { scores }: TileResult = await step.run({ images: batch, labels, size: batchSize });
    for (let i = 0; i * perChip < part.length; i++) {
      const own = scores.slice(i * classes.length, (i + 1) * classes.length);
      const found = classesOf(own, thresholds).map((k) => classes[k]!);
      predictions.push({ classes: found.map(({ name }) => name), values: found.map(({ value }) => value), scores: own });
    }
  }
  return predictions;
}
