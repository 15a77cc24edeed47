/** From what a graph gives of a whole image to a score for each class. */

import { GeoLearnError } from "@geolearn/core";

import type { ModelManifest } from "../manifest.ts";
import { countsApart, tellsApart } from "./class-count.ts";

/**
 * Scores 0 to 1 of images of which a graph gives `channels` numbers each: softmax of logits, or the logistic function of each where an image may
 * have several classes; one channel tells two classes apart.
 *
 * @returns `[images, classes]`
 * @throws INVALID_ARGUMENT where the graph tells other classes apart than are described, which of some graphs only a run tells
 */
export function tileScores(numbers: Float32Array, channels: number, { name, graph, classes, config }: ModelManifest): Float32Array {
  const count = classes.length;
  if (graph !== undefined && !tellsApart(channels, count)) {
    const { what, hint } = countsApart(channels, count);
    throw new GeoLearnError("INVALID_ARGUMENT", `The model ${name} does not fit its description: ${what}.`, {
      hint,
      data: { field: "classes", classes: count, channels },
    });
  }
  const logits = graph?.output.kind === "image" && graph.output.values === "logits";
  const single = channels === 1 && count === 2;
  if (!single && !logits) return numbers;
  const scores = new Float32Array((numbers.length / channels) * count);
  const scoresOf = single ? twoOf(logits) : config["multiLabel"] === true ? eachOf : softmaxOf;
  for (let from = 0, to = 0; from < numbers.length; from += channels, to += count)
    scores.set(scoresOf(numbers.subarray(from, from + channels)), to);
  return scores;
}

const logistic = (x: number): number => 1 / (1 + Math.exp(-x));
const eachOf = (logits: Float32Array): Float32Array => logits.map(logistic);
const twoOf =
  (logits: boolean) =>
  ([number]: Float32Array): number[] => {
    const second = logits ? logistic(number!) : number!;
    return [1 - second, second];
  };

function softmaxOf(logits: Float32Array): Float32Array {
  const greatest = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = logits.map((value) => Math.exp(value - greatest));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}
