/** A Learner of object detection and instance segmentation, with the figures of these tasks. */

import { type CocoClassMetrics, type Figure, GeoLearnError, showValue } from "@geolearn/core";
import type { ObjectData, ObjectTask } from "@geolearn/data-prep";

import { precisionRecallFigure } from "../../figures/precision-recall.ts";
import { finished, Learner } from "../../learner/learner.ts";
import type { ObjectEvaluation, ObjectMetrics } from "./evaluate.ts";
import { objectConfusionFigure } from "./report.ts";

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

  /** Precision over recall of each class on the validation side, at an IoU of 0.5. Written as PNG or SVG where a path is given. */
  async plotPrecisionRecall(path?: string, { iou }: CompareObjects = {}): Promise<Figure> {
    return finished(await precisionRecallFigure(await this.compared(iou), this.data.classes), path);
  }

  /**
   * Which classes are taken for which on the validation side, at an IoU and scores from 0.5 on; the last row is what was found where nothing is, the last
   * column what was missed. Written as PNG or SVG where a path is given.
   */
  async plotConfusionMatrix(path?: string, { iou }: CompareObjects = {}): Promise<Figure> {
    return finished(await objectConfusionFigure(await this.compared(iou), this.data.classes), path);
  }

  private async compared(iou: CompareObjects["iou"]): Promise<ObjectMetrics> {
    if (iou !== undefined && iou !== "boxes" && iou !== "masks") {
      throw new GeoLearnError("INVALID_ARGUMENT", `Objects were to be compared by iou ${showValue(iou)}, expected "boxes" or "masks".`, {
        hint: 'Give `iou: "boxes"` or `iou: "masks"`, or leave it out.',
      });
    }
    const boxes = await this.evaluate();
    if (iou === "boxes") return boxes;
    if (boxes.masks !== null) return boxes.masks;
    if (iou === undefined) return boxes;
    throw new GeoLearnError("INVALID_ARGUMENT", "Objects cannot be compared by masks: the network finds boxes only.", {
      hint: 'Leave out `iou`, or train with `task: "instanceSegmentation"`.',
    });
  }
}
