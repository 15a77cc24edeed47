/** How well a saved model does on chips: also one that is only known by its ONNX graph, or whose code is not there. */

import { checkOptions, GeoLearnError, type OptionRules, rules, type WorkOptions } from "@geolearn/core";
import type { DataOf } from "@geolearn/data-prep";
import { type Device, startEngine } from "@geolearn/engine";
import { labelledClasses, type ModelPackage, readModelPackage } from "@geolearn/models";

import type { AnyData } from "../tasks/task.ts";
import { createLearner, type EvaluationOf, requireData, type TrainableTask } from "./create-learner.ts";
import { evaluateGraph } from "./evaluate-graph.ts";
import { LEARNER_RULES } from "./option-rules.ts";

/** Options of {@link evaluatePackage}. */
export interface EvaluatePackageOptions extends WorkOptions {
  /** Where the network runs; decided once a process. @defaultValue "cpu" */
  readonly device?: Device;
  /** Threads of one operation on the CPU. @defaultValue the cores this process may use */
  readonly threads?: number;
}

const RULES: OptionRules<EvaluatePackageOptions> = {
  device: LEARNER_RULES.device,
  threads: LEARNER_RULES.threads,
  ...rules.work,
};

/**
 * How well a model package does on the validation side of the data: the figures of its task. A package around an ONNX file, and one of a network of
 * one's own with a graph, is run as it is, without the code its network was trained by; its loss is not known then. Of the classes of such a package the data
 * may lack a background (value 0, named so) that a detector counts among its labels.
 *
 * @throws what `readModelPackage` throws; SPLIT_IMPOSSIBLE without validation chips; CLASS_UNKNOWN, BANDS_MISMATCH, CHIPS_MISMATCH,
 * CHIP_SIZE_NOT_DIVISIBLE for data the model does not take; TASK_MISMATCH for another task, and for chips of several
 * classes where the model gives one, or the other way round
 *
 * @example
 * const { meanIou } = await evaluatePackage("roads.dlpk", await prepareData("chips", { task: "pixelClassification", valSplit: 1 }));
 */
export async function evaluatePackage<T extends TrainableTask>(
  source: string | Uint8Array | ModelPackage,
  data: DataOf<T> & { readonly task: T },
  options: EvaluatePackageOptions = {},
): Promise<EvaluationOf<T>> {
  checkOptions(options, RULES, "evaluatePackage()");
  requireData(data);
  const { device, threads, ...work } = options;
  const model = typeof source === "string" || source instanceof Uint8Array ? await readModelPackage(source) : source;
  const engineOptions = { ...(device !== undefined && { device }), ...(threads !== undefined && { threads }) };
  if (data.valid.count === 0) {
    throw new GeoLearnError("SPLIT_IMPOSSIBLE", "There are no validation chips to evaluate on.", {
      hint: "Prepare the data with `valSplit` above 0.",
    });
  }
  checkData(model, data);
  if (model.manifest.graph !== undefined) {
    await startEngine(engineOptions);
    return evaluateGraph<T>(model, data, work.signal);
  }
  const learner = await createLearner<T>(data, { ...engineOptions, pretrained: model });
  try {
    return (await learner.evaluate(work)) as EvaluationOf<T>;
  } finally {
    await learner.dispose();
  }
}

function checkData({ source, manifest }: ModelPackage, { task, classes, bands }: AnyData): void {
  if (task !== manifest.task) {
    throw new GeoLearnError("TASK_MISMATCH", `${source} is made for ${manifest.task}, the data are prepared for ${task}.`, {
      hint: `Prepare the data with \`task: "${manifest.task}"\`.`,
    });
  }
  const known = labelledClasses(manifest).map(({ value, name }) => `${value} ${name}`);
  const given = classes.map(({ value, name }) => `${value} ${name}`);
  // A graph's numbers are translated, whatever their order; a Learner takes classes by their places.
  const sorted = (list: readonly string[]): readonly string[] => (manifest.graph === undefined ? list : list.toSorted());
  if (sorted(given).join("\n") !== sorted(known).join("\n")) {
    throw new GeoLearnError("CLASS_UNKNOWN", `The labels hold ${given.join(", ")}; ${source} knows ${known.join(", ")}.`, {
      hint: "Evaluate on chips with the classes the model was trained on.",
    });
  }
  if (bands !== manifest.bandIndices.length) {
    throw new GeoLearnError("BANDS_MISMATCH", `The chips have ${bands} bands; ${source} takes ${manifest.bandIndices.length}.`, {
      hint: `Choose \`bands\` for ${manifest.bandNames.join(", ")}.`,
    });
  }
}
