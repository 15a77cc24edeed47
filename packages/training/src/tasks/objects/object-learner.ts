/** A Learner of object detection, with the figures of this task. */

import type { CocoClassMetrics } from "@geolearn/core";
import type { ObjectData } from "@geolearn/data-prep";

import { Learner } from "../../learner/learner.ts";
import type { ObjectEvaluation } from "./evaluate.ts";

/** Trains, measures and saves a network that finds objects. Made by `createLearner`. */
export class ObjectLearner extends Learner<"objectDetection", ObjectEvaluation, ObjectData<"objectDetection">> {
  /** Average precision at an IoU of 0.5 on the validation side; with `mean: false` that of each class by name. */
  async averagePrecisionScore(options: { readonly mean: false }): Promise<Record<string, number | null>>;
  async averagePrecisionScore(options?: { readonly mean?: true }): Promise<number | null>;
  async averagePrecisionScore({ mean = true }: { readonly mean?: boolean } = {}): Promise<number | null | Record<string, number | null>> {
    const { AP50, classes } = await this.evaluate();
    return mean ? AP50 : Object.fromEntries(classes.map(({ name, AP50: own }) => [name, own]));
  }

  /** COCO's twelve numbers of each class on the validation side. */
  async perClassMetrics(): Promise<readonly CocoClassMetrics[]> {
    return (await this.evaluate()).classes;
  }
}
