/** A Learner of object detection and instance segmentation, with the figures of these tasks. */

import { checkOptions, type CocoClassMetrics, type Figure, GeoLearnError, type OptionRules, rules } from "@geolearn/core";
import type { ObjectData, ObjectTask } from "@geolearn/data-prep";

import { checkFigurePath } from "../../figures/figure-path.ts";
import { precisionRecallFigure } from "../../figures/precision-recall.ts";
import { finished, Learner } from "../../learner/learner.ts";
import type { ObjectEvaluation, ObjectMetrics } from "./evaluate.ts";
import { objectConfusionFigure } from "./report.ts";

/** What objects are compared by. */
export interface CompareObjects {
  /** @defaultValue masks where the task is instance segmentation, else boxes */
  readonly iou?: "boxes" | "masks";
}

const COMPARE: OptionRules<CompareObjects> = { iou: rules.oneOf("boxes", "masks") };

/** Trains, measures and saves a network that finds objects. Made by `createLearner`. */
export class ObjectLearner<T extends ObjectTask = "objectDetection"> extends Learner<T, ObjectEvaluation, ObjectData<T>> {
  /** Average precision at an IoU of 0.5 on the validation side; with `mean: false` that of each class by name. */
  async averagePrecisionScore(options: CompareObjects & { readonly mean: false }): Promise<Record<string, number | null>>;
  async averagePrecisionScore(options?: CompareObjects & { readonly mean?: true }): Promise<number | null>;
  async averagePrecisionScore(
    options: CompareObjects & { readonly mean?: boolean } = {},
  ): Promise<number | null | Record<string, number | null>> {
    checkOptions(options, { mean: rules.boolean, ...COMPARE }, "averagePrecisionScore()");
    const { mean = true, iou } = options;
    const { AP50, classes } = await this.compared("averagePrecisionScore", iou === undefined ? {} : { iou });
    return mean ? AP50 : Object.fromEntries(classes.map(({ name, AP50: own }) => [name, own]));
  }

  /** COCO's twelve numbers of each class on the validation side. */
  async perClassMetrics(options: CompareObjects = {}): Promise<readonly CocoClassMetrics[]> {
    return (await this.compared("perClassMetrics", options)).classes;
  }

  /** Precision over recall of each class on the validation side, at an IoU of 0.5. Written as PNG or SVG where a path is given. */
  async plotPrecisionRecall(path?: string, options: CompareObjects = {}): Promise<Figure> {
    checkFigurePath("plotPrecisionRecall", path);
    return finished(await precisionRecallFigure(await this.compared("plotPrecisionRecall", options), this.data.classes), path);
  }

  /**
   * Which classes are taken for which on the validation side, at an IoU and scores from 0.5 on; the last row is what was found where nothing is, the last
   * column what was missed. Written as PNG or SVG where a path is given.
   */
  async plotConfusionMatrix(path?: string, options: CompareObjects = {}): Promise<Figure> {
    checkFigurePath("plotConfusionMatrix", path);
    return finished(await objectConfusionFigure(await this.compared("plotConfusionMatrix", options), this.data.classes), path);
  }

  private async compared(verb: string, options: CompareObjects): Promise<ObjectMetrics> {
    checkOptions(options, COMPARE, `${verb}()`);
    const { iou } = options;
    if (iou === "masks" && this.data.task !== "instanceSegmentation") {
      throw new GeoLearnError("INVALID_ARGUMENT", "Objects cannot be compared by masks: the network finds boxes only.", {
        hint: 'Leave out `iou`, or train with `task: "instanceSegmentation"`.',
      });
    }
    const boxes = await this.evaluate();
    if (iou === "boxes") return boxes;
    return boxes.masks ?? boxes;
  }
}
