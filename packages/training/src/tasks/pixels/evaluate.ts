/** How well a network does on the validation side. */

import { type ConfusionMatrix, countPixels, createConfusionMatrix, GeoLearnError, type PixelMetrics, pixelMetrics } from "@geolearn/core";
import type { ChipSet, LearningData, PixelBatch } from "@geolearn/data-prep";

import { readAhead } from "../../learner/read-ahead.ts";
import { exampleBatches } from "../example-batches.ts";
import type { TaskEvaluation } from "../task.ts";
import { cutHostTargets, type EvaluationStep } from "./graph.ts";
import type { Example } from "./results.ts";

/** Result of an evaluation; its loss is weighted by labelled pixels. */
export interface PixelEvaluation extends PixelMetrics, TaskEvaluation {
  readonly confusion: ConfusionMatrix;
}

/** What an evaluation runs on. */
export interface EvaluationContext {
  readonly data: LearningData;
  readonly step: EvaluationStep;
  readonly margin: number;
  /** Positions of classes whose pixels do not count. */
  readonly ignored: ReadonlySet<number>;
}

/** Loss and metrics over a set of chips. Padding chips and ignored pixels do not count. */
export async function evaluateChips(context: EvaluationContext, chips: ChipSet, signal?: AbortSignal): Promise<PixelEvaluation> {
  const { data, step, margin, ignored } = context;
  const shape = [data.batchSize, data.chipHeight, data.chipWidth, data.bands] as const;
  const confusion = createConfusionMatrix(data.classes.length);
  let lossSum = 0;
  let pixels = 0;
  for await (const batch of readAhead(chips.read(signal && { signal }))) {
    signal?.throwIfAborted();
    const { loss, predicted } = await step.run(batch);
    const perChip = predicted.length / batch.size;
    const truth = withoutIgnored(cutHostTargets(batch.targets, shape, margin), ignored).subarray(0, perChip * batch.real);
    const before = sum(confusion.counts);
    countPixels(confusion, truth, predicted.subarray(0, truth.length));
    const counted = sum(confusion.counts) - before;
    if (counted === 0) continue;
    if (loss === null) continue;
    if (!Number.isFinite(loss)) {
      throw new GeoLearnError("LOSS_NOT_FINITE", `The validation loss is ${loss} on chips ${batch.names.join(", ")}.`, {
        hint: "Look at these chips; use a lower `lr`, or set `clipNorm`.",
        data: { chips: batch.names },
      });
    }
    lossSum += loss * counted;
    pixels += counted;
  }
  return { ...pixelMetrics(confusion, data.classes), loss: pixels === 0 ? null : lossSum / pixels, confusion };
}

/** Some chips of a set, those with more than background first, with what the network makes of them. */
export async function predictExamples(context: EvaluationContext, chips: ChipSet, count: number, signal?: AbortSignal): Promise<Example[]> {
  const { data, step, margin, ignored } = context;
  const { batchSize, chipHeight, chipWidth, bands } = data;
  const [height, width] = [chipHeight - 2 * margin, chipWidth - 2 * margin];
  const examples: Example[] = [];
  const background = data.classes[0]?.value === 0 ? 0 : -1;
  const telling = ({ targets }: PixelBatch, place: number): boolean =>
    targets
      .subarray(place * chipHeight * chipWidth, (place + 1) * chipHeight * chipWidth)
      .some((index) => index > background && !ignored.has(index));
  for await (const [batch, places] of exampleBatches(chips, { batchSize, count, telling, signal })) {
    const { predicted } = await step.run(batch);
    const truth = withoutIgnored(cutHostTargets(batch.targets, [batchSize, chipHeight, chipWidth, bands], margin), ignored);
    for (const i of places) {
      examples.push({
        name: batch.names[i]!,
        width,
        height,
        bands,
        image: cutImage(batch.images.subarray(i * chipHeight * chipWidth * bands), chipWidth, bands, margin, width, height),
        truth: truth.slice(i * height * width, (i + 1) * height * width),
        predicted: predicted.slice(i * height * width, (i + 1) * height * width),
      });
    }
  }
  return examples;
}

/** Class values of chips. */
export interface ChipPrediction {
  /** The user's class values, `[count, height, width]`. */
  readonly values: Int32Array;
  readonly count: number;
  readonly height: number;
  readonly width: number;
}

/** Class values of chips given as raw pixels `[count, chipHeight, chipWidth, bands]`. */
export async function predictChips({ data, step, margin }: EvaluationContext, images: Float32Array): Promise<ChipPrediction> {
  const { batchSize, chipHeight, chipWidth, bands, classes } = data;
  const perChip = chipHeight * chipWidth * bands;
  if (images.length === 0 || images.length % perChip !== 0) {
    throw new GeoLearnError("INVALID_ARGUMENT", `predict got ${images.length} values.`, {
      hint: `Give whole chips of ${chipHeight} x ${chipWidth} pixels with ${bands} bands, that is a multiple of ${perChip} values.`,
    });
  }
  const count = images.length / perChip;
  const [height, width] = [chipHeight - 2 * margin, chipWidth - 2 * margin];
  const values = new Int32Array(count * height * width);
  const targets = new Int32Array(batchSize * chipHeight * chipWidth).fill(-1);
  for (let from = 0; from < count; from += batchSize) {
    const real = Math.min(batchSize, count - from);
    const batch = new Float32Array(batchSize * perChip);
    batch.set(images.subarray(from * perChip, (from + real) * perChip));
    const { predicted } = await step.run({ images: batch, targets, size: batchSize });
    for (let p = 0; p < real * height * width; p++) values[from * height * width + p] = classes[predicted[p]!]!.value;
  }
  return { values, count, height, width };
}

function withoutIgnored(targets: Int32Array, ignored: ReadonlySet<number>): Int32Array {
  return ignored.size === 0 ? targets : targets.map((index) => (ignored.has(index) ? -1 : index));
}

function cutImage(image: Float32Array, stride: number, bands: number, margin: number, width: number, height: number): Float32Array {
  const inner = new Float32Array(width * height * bands);
  for (let row = 0; row < height; row++) {
    const from = ((row + margin) * stride + margin) * bands;
    inner.set(image.subarray(from, from + width * bands), row * width * bands);
  }
  return inner;
}

function sum(values: Float64Array): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
