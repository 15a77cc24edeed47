/** How well the graph of a package does on chips: each task's evaluation, on steps that run the ONNX file. */

import { GeoLearnError, type MaskGrid } from "@geolearn/core";
import type { DataOf, LearningData, ObjectData, TileData } from "@geolearn/data-prep";
import { FRAMED_OUTPUT } from "@geolearn/engine";
import { checkChipSize, GraphRunner, labelledClasses, type ModelManifest, type ModelPackage } from "@geolearn/models";

import { evaluateObjects, type ObjectEvaluation } from "../tasks/objects/evaluate.ts";
import type { FoundObjects } from "../tasks/objects/graph.ts";
import { evaluateChips, type PixelEvaluation } from "../tasks/pixels/evaluate.ts";
import type { EvaluationStep } from "../tasks/pixels/graph.ts";
import type { AnyData } from "../tasks/task.ts";
import { evaluateTiles, type TileEvaluation } from "../tasks/tiles/evaluate.ts";
import type { EvaluationOf, TrainableTask } from "./create-learner.ts";

/** The figures of the task on the validation side; the loss is not known. `startEngine` must have finished, and the data must fit. */
export async function evaluateGraph<T extends TrainableTask>(
  model: ModelPackage,
  data: DataOf<T>,
  signal: AbortSignal | undefined,
): Promise<EvaluationOf<T>> {
  const positions = positionsIn(data, model.manifest);
  const evaluation = await EVALUATIONS[model.manifest.task](model, data as AnyData, positions, signal);
  return evaluation as EvaluationOf<T>;
}

type Evaluate = (model: ModelPackage, data: AnyData, positions: Int32Array, signal: AbortSignal | undefined) => Promise<unknown>;

const EVALUATIONS: Readonly<Record<TrainableTask, Evaluate>> = {
  pixelClassification: (model, data, positions, signal) => evaluatePixels(model, data as LearningData, positions, signal),
  objectDetection: (model, data, positions, signal) => evaluateDetector(model, data as ObjectData, positions, signal),
  instanceSegmentation: (model, data, positions, signal) => evaluateDetector(model, data as ObjectData, positions, signal),
  objectClassification: (model, data, positions, signal) => evaluateClassifier(model, data as TileData, positions, signal),
};

/** Where the data have each class of the model; -1 for the background of a detector. */
function positionsIn({ classes }: AnyData, manifest: ModelManifest): Int32Array {
  const labelled = new Set(labelledClasses(manifest));
  return Int32Array.from(manifest.classes, (known) => (labelled.has(known) ? classes.findIndex(({ value }) => value === known.value) : -1));
}

async function evaluatePixels(
  model: ModelPackage,
  data: LearningData,
  positions: Int32Array,
  signal: AbortSignal | undefined,
): Promise<PixelEvaluation> {
  const { modelType, graph } = model.manifest;
  const { stride, margin } = graph!;
  const { chipHeight: height, chipWidth: width } = data;
  checkChipSize({ modelType, stride, margin }, width, height);
  const runner = new GraphRunner(model);
  const scored = (height - 2 * margin) * (width - 2 * margin);
  const step: EvaluationStep = {
    async run({ images: pixels, size }) {
      const predicted = new Int32Array(size * scored);
      let at = 0;
      for (const results of await runner.run({ pixels, size, height, width }, signal)) {
        const scores = results[FRAMED_OUTPUT]!.data as Float32Array;
        const some = predicted.subarray(at, at + scores.length / positions.length);
        best(scores.subarray(0, some.length * positions.length), positions, some, model.source);
        at += some.length;
      }
      return { loss: null, predicted };
    },
    dispose: () => runner.dispose(),
  };
  try {
    return await evaluateChips({ data, step, margin, ignored: new Set() }, data.valid, signal);
  } finally {
    await runner.dispose();
  }
}

/** Position of the class with the greatest score of each pixel. */
function best(scores: Float32Array, positions: Int32Array, out: Int32Array, source: string): void {
  const classes = positions.length;
  for (let pixel = 0; pixel * classes < scores.length; pixel++) {
    let winner = 0;
    for (let c = 1; c < classes; c++) if (scores[pixel * classes + c]! > scores[pixel * classes + winner]!) winner = c;
    // A number beyond the classes has no score at all.
    if (!(scores[pixel * classes + winner]! > 0)) {
      throw new GeoLearnError("CLASS_UNKNOWN", `${source} gives a pixel no score for any of its ${classes} classes.`, {
        hint: "Describe all classes, in the order of the network's numbers.",
      });
    }
    out[pixel] = positions[winner]!;
  }
}

async function evaluateDetector(
  model: ModelPackage,
  data: ObjectData,
  positions: Int32Array,
  signal: AbortSignal | undefined,
): Promise<ObjectEvaluation> {
  const graph = new GraphRunner(model);
  const { chipHeight: height, chipWidth: width } = data;
  const step = {
    async run({ images: pixels, size }: { readonly images: Float32Array; readonly size: number }): Promise<FoundObjects> {
      return packed(await graph.detect({ pixels, size, height, width }, signal), positions, data.task === "instanceSegmentation");
    },
    dispose: () => graph.dispose(),
  };
  try {
    return await evaluateObjects(data, step, signal);
  } finally {
    await step.dispose();
  }
}

type Images = Awaited<ReturnType<GraphRunner["detect"]>>;

/** The objects of some images in arrays with as many places for each; what is taken for background is none. */
function packed(images: Images, positions: Int32Array, outlined: boolean): FoundObjects {
  const kept = images.map((objects) => objects.filter(({ classIndex }) => positions[classIndex]! >= 0));
  const detections = kept.reduce((most, objects) => Math.max(most, objects.length), 0);
  const places = kept.length * detections;
  const [boxes, scores, classIndices] = [new Float32Array(4 * places), new Float32Array(places), new Int32Array(places)];
  const masks = new Map<number, MaskGrid>();
  for (const [image, objects] of kept.entries()) {
    for (const [k, { box, score, classIndex, mask }] of objects.entries()) {
      const place = image * detections + k;
      boxes.set(box, 4 * place);
      scores[place] = score;
      classIndices[place] = positions[classIndex]!;
      if (mask !== undefined) masks.set(place, mask);
    }
  }
  return { loss: null, boxes, scores, classIndices, detections, maskAt: outlined ? (place) => masks.get(place)! : null };
}

async function evaluateClassifier(
  model: ModelPackage,
  data: TileData,
  positions: Int32Array,
  signal: AbortSignal | undefined,
): Promise<TileEvaluation> {
  const { source, manifest } = model;
  const given = manifest.config["multiLabel"] === true ? (manifest.config["thresholds"] as readonly number[]) : null;
  if (data.multiLabel !== (given !== null)) throw severalMismatch(source, data.multiLabel);
  const graph = new GraphRunner(model);
  const { chipHeight: height, chipWidth: width } = data;
  const inOrder = (values: ArrayLike<number>): Float64Array => {
    const out = new Float64Array(values.length);
    const classes = positions.length;
    for (let i = 0; i < values.length; i++) out[i - (i % classes) + positions[i % classes]!] = values[i]!;
    return out;
  };
  const step = {
    async run({ images: pixels, size }: { readonly images: Float32Array; readonly size: number }) {
      return { scores: Float32Array.from(inOrder(await graph.classify({ pixels, size, height, width }, signal))), losses: null };
    },
    dispose: () => graph.dispose(),
  };
  try {
    return await evaluateTiles({ data, step, thresholds: given === null ? null : [...inOrder(given)] }, data.valid, signal);
  } finally {
    await step.dispose();
  }
}

function severalMismatch(source: string, several: boolean): GeoLearnError {
  const [chips, model] = several ? ["several classes", "one class"] : ["one class each", "several classes"];
  return new GeoLearnError("TASK_MISMATCH", `The chips have ${chips}; ${source} gives an image ${model}.`, {
    hint: several
      ? 'Say "multiLabel": true in the spec the ONNX file is imported with, if it gives each class a score of its own.'
      : "Evaluate on chips with several classes.",
  });
}
