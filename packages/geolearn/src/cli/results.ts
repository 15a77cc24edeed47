/**
 * The JSON that commands print with `--json`. Published as JSON Schema in the package's `schemas/` folder, so that scripts
 * can rely on it.
 */

import { z } from "zod";

const fraction = z.number().min(0).max(1);

const classMetrics = z.strictObject({
  value: z.int(),
  name: z.string(),
  iou: fraction.nullable(),
  precision: fraction.nullable(),
  recall: fraction.nullable(),
  f1: fraction.nullable(),
});

/** Result of `evaluate` and of `accuracy` on pixels; null where a class does not occur. */
export const pixelAccuracyResult = z.strictObject({
  pixelAccuracy: fraction.nullable(),
  meanIou: fraction.nullable(),
  kappa: z.number().min(-1).max(1).nullable(),
  classes: z.array(classMetrics),
});

/** Result of `accuracy` on objects; null where a figure has no meaning, `ap` also without scores. */
export const objectAccuracyResult = z.strictObject({
  truePositives: z.int().min(0),
  falsePositives: z.int().min(0),
  falseNegatives: z.int().min(0),
  precision: fraction.nullable(),
  recall: fraction.nullable(),
  f1: fraction.nullable(),
  ap: fraction.nullable(),
});

const cocoFigures = {
  AP: fraction.nullable(),
  AP50: fraction.nullable(),
  AP75: fraction.nullable(),
  APsmall: fraction.nullable(),
  APmedium: fraction.nullable(),
  APlarge: fraction.nullable(),
  AR1: fraction.nullable(),
  AR10: fraction.nullable(),
  AR100: fraction.nullable(),
  ARsmall: fraction.nullable(),
  ARmedium: fraction.nullable(),
  ARlarge: fraction.nullable(),
};

const cocoMetrics = {
  ...cocoFigures,
  classes: z.array(
    z.strictObject({
      value: z.int(),
      name: z.string(),
      truthObjects: z.int().min(0),
      predictedObjects: z.int().min(0),
      ...cocoFigures,
    }),
  ),
};

/** Result of `evaluate` on objects: COCO's twelve numbers of boxes, and of outlines where the model draws them; null where a figure has no meaning. */
export const cocoResult = z.strictObject({ ...cocoMetrics, masks: z.strictObject(cocoMetrics).optional() });

/**
 * Result of `evaluate` on chips with classes of their own: `accuracy`, `top5Accuracy` (of more than five classes) and `kappa` where a chip has one class,
 * `exactMatch`, `meanAp` and each class's `averagePrecision` where it may have several; null where a figure has no meaning.
 */
export const tileResult = z.strictObject({
  accuracy: fraction.nullable(),
  top5Accuracy: fraction.nullable(),
  kappa: z.number().min(-1).max(1).nullable(),
  exactMatch: fraction.nullable(),
  meanF1: fraction.nullable(),
  meanAp: fraction.nullable(),
  chips: z.int().min(0),
  classes: z.array(
    z.strictObject({
      value: z.int(),
      name: z.string(),
      precision: fraction.nullable(),
      recall: fraction.nullable(),
      f1: fraction.nullable(),
      averagePrecision: fraction.nullable(),
      truthChips: z.int().min(0),
      predictedChips: z.int().min(0),
    }),
  ),
});

/** Result of `train`. */
export const trainResult = z.strictObject({
  model: z.string(),
  modelType: z.string(),
  epochs: z.array(
    z.strictObject({
      epoch: z.int().min(1),
      trainLoss: z.number(),
      validLoss: z.number().nullable(),
      metrics: z.record(z.string(), z.number().nullable()),
      seconds: z.number().min(0),
    }),
  ),
  best: z.int().min(1).nullable(),
  seconds: z.number().min(0),
});

/** Result of `classify-pixels` and `detect-change`. */
export const classifyPixelsResult = z.strictObject({
  out: z.string(),
  windows: z.int().min(0),
  seconds: z.number().min(0),
  megapixelsPerSecond: z.number().min(0),
  peakMemoryMb: z.number().min(0),
  classes: z.array(z.strictObject({ value: z.int(), name: z.string(), pixels: z.int().min(0) })),
});

/** Result of `detect-objects`. */
export const detectObjectsResult = z.strictObject({
  out: z.string(),
  windows: z.int().min(0),
  seconds: z.number().min(0),
  megapixelsPerSecond: z.number().min(0),
  peakMemoryMb: z.number().min(0),
  count: z.int().min(0),
});

/**
 * Result of `classify-objects`: features or photos with a result, features outside the raster among them, and photos left out for want of a position;
 * features of each class by its name.
 */
export const classifyObjectsResult = z.strictObject({
  out: z.string(),
  count: z.int().min(0),
  outside: z.int().min(0),
  skipped: z.int().min(0),
  seconds: z.number().min(0),
  peakMemoryMb: z.number().min(0),
  classes: z.record(z.string(), z.int().min(0)),
});

/** Result of `export-training-data`. */
export const exportResult = z.strictObject({
  out: z.string(),
  chips: z.int().min(0),
  firstIndex: z.int().min(0),
  endIndex: z.int().min(0),
  skipped: z.strictObject({ unlabelled: z.int().min(0), ignored: z.int().min(0) }),
  chipWidth: z.int().min(1),
  chipHeight: z.int().min(1),
  bands: z.int().min(1),
  sampleType: z.string(),
  classes: z.array(
    z.strictObject({
      value: z.int(),
      name: z.string(),
      color: z.tuple([z.number(), z.number(), z.number()]),
      pixels: z.int().min(0),
      objects: z.int().min(0),
      chips: z.int().min(0),
    }),
  ),
  ignoreValue: z.int(),
  megapixels: z.number().min(0),
  seconds: z.number().min(0),
  resumed: z.boolean(),
});

/** Result of `to-polygons`. */
export const polygonsResult = z.strictObject({ out: z.string(), count: z.int().min(0), classes: z.record(z.string(), z.int().min(0)) });

/** Result of `regularize`: how many features, and how many of them were regularized and copied. */
export const regularizeResult = z.strictObject({
  out: z.string(),
  count: z.int().min(0),
  regularized: z.int().min(0),
  copied: z.int().min(0),
});

const onnxShape = z.array(z.union([z.int().min(1), z.string()]));

/** Result of `export-onnx`. */
export const exportOnnxResult = z.strictObject({
  out: z.string(),
  stac: z.string().nullable(),
  bytes: z.int().min(1),
  opset: z.int().min(1),
  inputShape: onnxShape,
  outputShape: onnxShape,
  outputs: z.array(z.strictObject({ name: z.string(), type: z.string(), shape: onnxShape })),
});

/** Result of `import-onnx`. */
export const importOnnxResult = z.strictObject({
  out: z.string(),
  task: z.string(),
  name: z.string(),
  classes: z.array(z.strictObject({ value: z.int(), name: z.string(), color: z.tuple([z.number(), z.number(), z.number()]) })),
  bands: z.array(z.int().min(0)),
  chipWidth: z.int().min(1),
  chipHeight: z.int().min(1),
  resolution: z.number().nullable(),
});

/** The schemas by command. */
export const resultSchemas: Readonly<Record<string, z.ZodType>> = {
  train: trainResult,
  evaluate: z.union([pixelAccuracyResult, cocoResult, tileResult]),
  accuracy: z.union([pixelAccuracyResult, objectAccuracyResult]),
  "classify-pixels": classifyPixelsResult,
  "detect-change": classifyPixelsResult,
  "detect-objects": detectObjectsResult,
  "classify-objects": classifyObjectsResult,
  "export-training-data": exportResult,
  "to-polygons": polygonsResult,
  regularize: regularizeResult,
  "export-onnx": exportOnnxResult,
  "import-onnx": importOnnxResult,
};

/** JSON Schema (2020-12) of each command's result; `packages/geolearn/schemas` holds them as files. */
export function publishedSchemas(): Record<string, object> {
  return Object.fromEntries(
    Object.entries(resultSchemas).map(([command, schema]) => [command, { title: `geolearn ${command} --json`, ...z.toJSONSchema(schema) }]),
  );
}
