/** How well a saved model does on chips: also one that is only known by its ONNX graph, or whose code is not there. */

import { GeoLearnError, type WorkOptions } from "@geolearn/core";
import type { DataOf, LearningData } from "@geolearn/data-prep";
import { type Device, FRAMED_INPUT, FRAMED_OUTPUT, openOnnxSession, startEngine } from "@geolearn/engine";
import { checkChipSize, type ModelPackage, readModelPackage, scoreGraph } from "@geolearn/models";

import { evaluateChips, type PixelEvaluation } from "../tasks/pixels/evaluate.ts";
import type { EvaluationStep } from "../tasks/pixels/graph.ts";
import type { AnyData } from "../tasks/task.ts";
import { createLearner, type EvaluationOf, type TrainableTask } from "./create-learner.ts";

/** Options of {@link evaluatePackage}. */
export interface EvaluatePackageOptions extends WorkOptions {
  /** Where the network runs; decided once a process. @defaultValue "cpu" */
  readonly device?: Device;
  /** Threads of one operation on the CPU. @defaultValue the cores this process may use */
  readonly threads?: number;
}

/**
 * How well a model package does on the validation side of the data: the figures of its task. A package of pixel classification with a graph is
 * run as it is, without the code its network was trained by; its loss is not known then.
 *
 * @throws what `readModelPackage` throws; SPLIT_IMPOSSIBLE without validation chips; CLASS_UNKNOWN, BANDS_MISMATCH, CHIPS_MISMATCH,
 * CHIP_SIZE_NOT_DIVISIBLE for data the model does not take; TASK_MISMATCH for another task, and for objects found by an ONNX file
 *
 * @example
 * const { meanIou } = await evaluatePackage("roads.dlpk", await prepareData("chips", { task: "pixelClassification", valSplit: 1 }));
 */
export async function evaluatePackage<T extends TrainableTask>(
  source: string | Uint8Array | ModelPackage,
  data: DataOf<T> & { readonly task: T },
  { device, threads, ...work }: EvaluatePackageOptions = {},
): Promise<EvaluationOf<T>> {
  const model = typeof source === "string" || source instanceof Uint8Array ? await readModelPackage(source) : source;
  const engineOptions = { ...(device !== undefined && { device }), ...(threads !== undefined && { threads }) };
  if (data.valid.count === 0) {
    throw new GeoLearnError("SPLIT_IMPOSSIBLE", "There are no validation chips to evaluate on.", {
      hint: "Prepare the data with `valSplit` above 0.",
    });
  }
  checkData(model, data);
  if (model.manifest.graph !== undefined) {
    if (model.manifest.task !== "pixelClassification") throw noGraphOfObjects(model);
    await startEngine(engineOptions);
    return (await evaluateGraph(model, data as AnyData as LearningData, work.signal)) as EvaluationOf<T>;
  }
  const learner = await createLearner<T>(data, { ...engineOptions, pretrained: model });
  try {
    return (await learner.evaluate(work)) as EvaluationOf<T>;
  } finally {
    await learner.dispose();
  }
}

function noGraphOfObjects({ source, manifest }: ModelPackage): GeoLearnError {
  return new GeoLearnError(
    "TASK_MISMATCH",
    `${source} is built around an ONNX file of ${manifest.task}, which is not evaluated on chips.`,
    {
      hint: "Find objects on a scene with it (`geolearn detect-objects`) and compare them with the true ones (`geolearn accuracy`).",
    },
  );
}

function checkData({ source, manifest }: ModelPackage, { task, classes, bands }: AnyData): void {
  if (task !== manifest.task) {
    throw new GeoLearnError("TASK_MISMATCH", `${source} is made for ${manifest.task}, the data are prepared for ${task}.`, {
      hint: `Prepare the data with \`task: "${manifest.task}"\`.`,
    });
  }
  const known = manifest.classes.map(({ value, name }) => `${value} ${name}`);
  if (classes.length !== known.length || classes.some(({ value, name }, i) => `${value} ${name}` !== known[i])) {
    const given = classes.map(({ value, name }) => `${value} ${name}`);
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

async function evaluateGraph(model: ModelPackage, data: LearningData, signal: AbortSignal | undefined): Promise<PixelEvaluation> {
  const { modelType, graph, classes } = model.manifest;
  const { stride, margin, batch } = graph!;
  const { batchSize, chipHeight: height, chipWidth: width, bands } = data;
  checkChipSize({ modelType, stride, margin }, width, height);
  const images = batch ?? batchSize;
  const session = await openOnnxSession(scoreGraph(model, { batch: images, height, width }));
  const chip = height * width * bands;
  const scored = (height - 2 * margin) * (width - 2 * margin);
  const step: EvaluationStep = {
    async run({ images: pixels, size }) {
      const predicted = new Int32Array(size * scored);
      for (let first = 0; first < size; first += images) {
        const count = Math.min(images, size - first);
        const block = new Float32Array(images * chip);
        block.set(pixels.subarray(first * chip, (first + count) * chip));
        const feeds = { [FRAMED_INPUT]: { data: block, shape: [images, height, width, bands], dtype: "float32" as const } };
        const scores = (await session.run(feeds))[FRAMED_OUTPUT]!.data as Float32Array;
        best(scores.subarray(0, count * scored * classes.length), classes.length, predicted.subarray(first * scored), model.source);
      }
      return { loss: null, predicted };
    },
    dispose: () => session.dispose(),
  };
  try {
    return await evaluateChips({ data, step, margin, ignored: new Set() }, data.valid, signal);
  } finally {
    await session.dispose();
  }
}

/** Position of the greatest score of each pixel. */
function best(scores: Float32Array, classes: number, out: Int32Array, source: string): void {
  for (let pixel = 0; pixel * classes < scores.length; pixel++) {
    let winner = 0;
    for (let c = 1; c < classes; c++) if (scores[pixel * classes + c]! > scores[pixel * classes + winner]!) winner = c;
    // A number beyond the classes has no score at all.
    if (!(scores[pixel * classes + winner]! > 0)) {
      throw new GeoLearnError("CLASS_UNKNOWN", `${source} gives a pixel no score for any of its ${classes} classes.`, {
        hint: "Describe all classes, in the order of the network's numbers.",
      });
    }
    out[pixel] = winner;
  }
}
