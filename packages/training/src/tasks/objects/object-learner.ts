/** A Learner of object detection and instance segmentation, with the figures of these tasks. */

import { type CocoClassMetrics, type CocoMetrics, GeoLearnError } from "@geolearn/core";
import type { ObjectData, ObjectTask } from "@geolearn/data-prep";

import { Learner } from "../../learner/learner.ts";
import type { ObjectEvaluation } from "./evaluate.ts";

/** What objects are compared by. */
export interface CompareObjects {
  /** @defaultValue masks where the task is instance segmentation, else boxes */
  readonly iou?: "boxes" | "masks";
}

/** Trains, measures and saves a network that finds objects. Made by `createLearner`. */
export class ObjectLearner<T extends ObjectTask = "objectDetection"> extends Learner<T, ObjectEvaluation, ObjectData<T>> {
  /** Average precision at an IoU of 0.5 on the validation side; with `mean: false` that of each class by name. */
  async averagePrecisionScore(options: CompareObjects & { readonly mean: false }): Promise<Record<string, number | null>>;
  async averagePrecisionScore(options?: CompareObjects & { readonly mean?: true }): Promise<number | null>;
  async averagePrecisionScore({ mean = true, iou }: CompareObjects & { readonly mean?: boolean } = {}): Promise<
    number | null | Record<string, number | null>
  > {
    const { AP50, classes } = await this.compared(iou);
    return mean ? AP50 : Object.fromEntries(classes.map(({ name, AP50: own }) => [name, own]));
  }

  /** COCO's twelve numbers of each class on the validation side. */
  async perClassMetrics({ iou }: CompareObjects = {}): Promise<readonly CocoClassMetrics[]> {
    return (await this.compared(iou)).classes;
  }

  private async compared(iou: CompareObjects["iou"]): Promise<CocoMetrics> {
    const boxes = await this.evaluate();
    if (iou === "boxes") return boxes;
    if (boxes.masks !== null) return boxes.masks;
    if (iou === undefined) return boxes;
    throw new GeoLearnError("INVALID_ARGUMENT", "Objects cannot be compared by masks: the network finds boxes only.", {
      hint: 'Leave out `iou`, or train with `task: "instanceSegmentation"`.',
    });
  }
}
