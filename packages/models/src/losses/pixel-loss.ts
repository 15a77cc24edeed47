/**
 * Losses of pixel classification, as functions inside the recorded graph: cross-entropy, focal, Dice and their mix.
 * Each brings its own gradient, so that a step needs few passes over the logits.
 */

import { checkOptionNames, GeoLearnError, type OptionNames, showValue } from "@geolearn/core";
import type * as tf from "@tensorflow/tfjs";

import { crossEntropy } from "./cross-entropy.ts";
import { diceLoss } from "./dice.ts";
import { focalLoss } from "./focal.ts";
import { prepareTargets, type TargetRule } from "./targets.ts";

/** What every loss takes. */
export interface PixelLossOptions {
  /** Weight of each class, in the order of the logits. @defaultValue 1 each */
  readonly classWeights?: readonly number[] | null;
  /** Target of pixels that do not count. @defaultValue -1 */
  readonly ignoreIndex?: number;
  /** Positions of classes whose pixels do not count. @defaultValue none */
  readonly ignoredClasses?: readonly number[];
}

/** Options of focal loss. */
export interface FocalOptions extends PixelLossOptions {
  /** How much sure pixels are played down; 0 is cross-entropy. @defaultValue 2 */
  readonly gamma?: number;
}

/** Options of Dice loss. */
export interface DiceOptions extends PixelLossOptions {
  /** Mean of the classes' Dice, or Dice of all classes together. @defaultValue "macro" */
  readonly average?: "macro" | "micro";
}

/** Options of the mix. */
export interface MixOptions extends FocalOptions, DiceOptions {
  /** What Dice is mixed with. @defaultValue "crossEntropy" */
  readonly base?: "crossEntropy" | "focal";
  /** Share of Dice, 0 to 1; the rest is the base. @defaultValue 0.5 */
  readonly diceFraction?: number;
}

/** Which loss, plain JSON. */
export type PixelLossSpec =
  | ({ readonly type: "crossEntropy" } & PixelLossOptions)
  | ({ readonly type: "focal" } & FocalOptions)
  | ({ readonly type: "dice" } & DiceOptions)
  | ({ readonly type: "mix" } & MixOptions);

const EVERY: OptionNames<PixelLossOptions & Pick<PixelLossSpec, "type">> = {
  ...{ type: true, classWeights: true, ignoreIndex: true, ignoredClasses: true },
};
const FOCAL: OptionNames<FocalOptions> = { ...EVERY, gamma: true };
const DICE: OptionNames<DiceOptions> = { ...EVERY, average: true };
/** Names of the settings of each loss. */
const SETTINGS: Readonly<Record<PixelLossSpec["type"], Readonly<Record<string, true>>>> = {
  crossEntropy: EVERY,
  focal: FOCAL,
  dice: DICE,
  mix: { ...FOCAL, ...DICE, base: true, diceFraction: true } satisfies OptionNames<MixOptions>,
};

/** Logits `[N, H, W, classes]` and int32 targets `[N, H, W]` (positions of classes) to a scalar. */
export type PixelLoss = (logits: tf.Tensor4D, targets: tf.Tensor3D) => tf.Scalar;

/**
 * The loss a specification describes.
 *
 * - `crossEntropy`: the weighted mean over pixels that count, divided by the sum of their weights, as PyTorch's
 *   `cross_entropy(weight=..., ignore_index=...)`.
 * - `focal`: the same mean of `-(1 - p)^gamma log p` (Lin et al. 2017, https://arxiv.org/abs/1708.02002).
 * - `dice`: 1 - Dice of probabilities over the whole batch (Milletari et al. 2016, https://arxiv.org/abs/1606.04797);
 *   `macro` is the mean over the classes that occur in the batch's targets, weighted by `classWeights`.
 * - `mix`: `(1 - diceFraction) * base + diceFraction * dice`.
 *
 * Pixels whose target is `ignoreIndex`, an ignored class, or no position of a class do not count; a batch without any
 * pixel that counts has loss 0 and gradient 0.
 *
 * @throws INVALID_ARGUMENT for an unknown type, a setting it does not have, or a number out of range
 *
 * @example
 * const loss = pixelLoss({ type: "mix", diceFraction: 0.3, classWeights: [1, 4] });
 * loss(network.forward(images, { training: true }), targets);
 */
export function pixelLoss(spec: PixelLossSpec): PixelLoss {
  if (!Object.hasOwn(SETTINGS, spec.type)) throw wrong("type", spec.type, '"crossEntropy", "focal", "dice" or "mix"');
  checkOptionNames<object>(spec, SETTINGS[spec.type], `The loss "${spec.type}"`);
  const rule = targetRule(spec);
  switch (spec.type) {
    case "crossEntropy":
      return (logits, targets) => crossEntropy(logits, prepareTargets(logits, targets, rule));
    case "focal": {
      const gamma = inRange("gamma", spec.gamma ?? 2, 0, 10);
      return (logits, targets) => focalLoss(logits, prepareTargets(logits, targets, rule), gamma);
    }
    case "dice": {
      const average = averageOf(spec.average);
      return (logits, targets) => diceLoss(logits, prepareTargets(logits, targets, rule), average);
    }
    case "mix":
      return mixed(spec, rule);
  }
}

function mixed(spec: MixOptions, rule: TargetRule): PixelLoss {
  const share = inRange("diceFraction", spec.diceFraction ?? 0.5, 0, 1);
  const average = averageOf(spec.average);
  const base = spec.base ?? "crossEntropy";
  if (base !== "crossEntropy" && base !== "focal") throw wrong("base", base, '"crossEntropy" or "focal"');
  const gamma = inRange("gamma", spec.gamma ?? 2, 0, 10);
  return (logits, targets) => {
    const prepared = prepareTargets(logits, targets, rule);
    const main = base === "focal" ? focalLoss(logits, prepared, gamma) : crossEntropy(logits, prepared);
    return main.mul(1 - share).add(diceLoss(logits, prepared, average).mul(share));
  };
}

function targetRule({ classWeights = null, ignoreIndex = -1, ignoredClasses = [] }: PixelLossOptions): TargetRule {
  if (classWeights !== null && !(Array.isArray(classWeights) && classWeights.every((w) => Number.isFinite(w) && w >= 0)))
    throw wrong("classWeights", classWeights, "numbers of at least 0");
  if (!Number.isInteger(ignoreIndex)) throw wrong("ignoreIndex", ignoreIndex, "a whole number");
  if (!Array.isArray(ignoredClasses) || !ignoredClasses.every((c) => Number.isInteger(c) && c >= 0))
    throw wrong("ignoredClasses", ignoredClasses, "positions of classes");
  return { classWeights, ignored: new Set([ignoreIndex, ...ignoredClasses]) };
}

function averageOf(average: "macro" | "micro" | undefined): "macro" | "micro" {
  if (average !== undefined && average !== "macro" && average !== "micro") throw wrong("average", average, '"macro" or "micro"');
  return average ?? "macro";
}

function inRange(field: string, value: number, from: number, to: number): number {
  if (!(value >= from && value <= to)) throw wrong(field, value, `a number from ${from} to ${to}`);
  return value;
}

function wrong(field: string, value: unknown, expected: string): GeoLearnError {
  return new GeoLearnError("INVALID_ARGUMENT", `The loss got ${field} ${showValue(value)}, expected ${expected}.`, {
    hint: `Change ${field} of the loss.`,
    data: { field },
  });
}
