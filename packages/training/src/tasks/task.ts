/** What the Learner asks of the task it trains for. Steps, epochs, checkpoints and reports are alike for all of them. */

import type { Figure, RgbaImage, Task } from "@geolearn/core";
import type { BatchesOptions, PreparedData } from "@geolearn/data-prep";
import type { TensorSpec } from "@geolearn/engine";
import type * as tf from "@tensorflow/tfjs";

import type { Monitor } from "../learner/options.ts";

/** Prepared chips of whatever task. */
export type AnyData = PreparedData<Task, unknown>;

/** Sides of the split. */
export type Side = "train" | "valid";

/** A batch as the compiled step takes it. */
export interface FedBatch {
  /** Names of the chips. */
  readonly names: readonly string[];
  readonly feeds: Readonly<Record<string, Float32Array | Int32Array | Uint8Array>>;
}

/** The part of a training step that a task decides. */
export interface TaskGraph {
  /** What a batch feeds, by name. */
  readonly inputs: Readonly<Record<string, TensorSpec>>;
  /** The loss of what was fed, recorded with batch statistics. */
  loss(fed: Readonly<Record<string, tf.Tensor>>): tf.Scalar;
}

/** Options of a picture of results. */
export interface ResultsFigureOptions {
  /**
   * Bands drawn as red, green and blue, or one, by position from 0 or by name; of two dates among those of each.
   * @defaultValue by their names ("red", "B4 (red)", or "B4", "B3", "B2"), else the first three, or the first
   */
  readonly rgb?: readonly (number | string)[];
}

/** Some chips with truth and prediction, ready to be drawn. */
export interface Results {
  figure(options?: ResultsFigureOptions): Promise<Figure>;
  /** The same without words and legend, for viewers that want pixels. */
  picture(): RgbaImage;
}

/** A part of the training report. */
export interface ReportSection {
  readonly title: string;
  readonly html: string;
}

/** What evaluations of every task tell. */
export interface TaskEvaluation {
  /** Mean loss; null when nothing was labelled, or when the model is only known by its graph. */
  readonly loss: number | null;
}

/** One task: how batches are fed, what the loss is, how well the network does, and how that is shown. */
export interface LearnerTask<E extends TaskEvaluation = TaskEvaluation> extends TaskGraph {
  /** The loss, for people and packages. */
  readonly describedLoss: { readonly type: string };
  /** What must be alike for a run to be continued exactly, plain JSON. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Refuses settings that the recorded loss did not ask for. @throws INVALID_ARGUMENT */
  checkLoss(): void;
  /** Batches of a side, in the order of an epoch. */
  batches(side: Side, options?: BatchesOptions): AsyncIterable<FedBatch>;
  /** Evaluates batch by batch, for those who measure the time; yields after each. */
  rehearse(signal: AbortSignal | undefined): AsyncIterable<unknown>;
  /** Loss and metrics on the validation side. */
  evaluate(signal: AbortSignal | undefined): Promise<E>;
  /** Names of the figures of an epoch. */
  readonly monitors: readonly Monitor[];
  /** Figures of an epoch by name, `null` where one has no meaning. */
  epochMetrics(evaluation: E): Record<string, number | null>;
  /** What a model package keeps. */
  packageMetrics(evaluation: E): Record<string, unknown>;
  /** Some chips of a side, those that show something to be found first and evenly spread, with what the network makes of them. */
  results(side: Side, count: number, signal?: AbortSignal): Promise<Results>;
  /** What a report says of an evaluation. */
  reportSections(evaluation: E): Promise<readonly ReportSection[]>;
  /** What a report says of the labels. */
  labelFacts(): readonly [name: string, text: string][];
  /** Releases what was compiled. */
  dispose(): Promise<void>;
}
