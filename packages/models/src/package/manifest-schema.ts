/** The manifest as it stands in a package, judged field by field: it may come from anyone. */

import { GeoLearnError } from "@geolearn/core";
import { z } from "zod";

import type { ModelManifest } from "../manifest.ts";
import { isBuiltIn } from "../network/architectures.ts";
import { ONNX_MODEL_TYPE, onnxConfigSchema } from "../onnx/spec.ts";

/** Version of the package layout written here. A reader refuses higher ones. */
export const FORMAT_VERSION = 1;

const finite = z.number();
const count = z.number().int().min(0);
const side = z.number().int().min(1).max(65536);
const channel = z.number().int().min(0).max(255);
const shortText = z.string().max(1000);

const bandStatistics = z.object({ min: finite, max: finite, mean: finite, std: finite.min(0), count });

const classDefinition = z.object({
  value: z.number().int().min(0).max(4294967295),
  name: shortText,
  color: z.tuple([channel, channel, channel]),
});

/** What the graph of a task gives. */
const OUTPUTS = {
  pixelClassification: "pixels",
  objectDetection: "objects",
  instanceSegmentation: "objects",
  objectClassification: "image",
};

const manifestSchema = z
  .looseObject({
    task: z.enum(["pixelClassification", "objectDetection", "instanceSegmentation", "objectClassification"]),
    name: shortText,
    modelType: shortText.min(1),
    backbone: shortText.nullable(),
    config: z.record(z.string(), z.unknown()),
    graph: onnxConfigSchema.optional(),
    classes: z.array(classDefinition).min(1).max(4096),
    bandNames: z.array(shortText).min(1).max(4096),
    bandIndices: z.array(count).min(1).max(4096),
    sourceBands: side.optional(),
    sampleType: shortText,
    statistics: z.array(bandStatistics),
    chipWidth: side,
    chipHeight: side,
    crop: z.object({ mode: z.enum(["fixedSize", "boundingBox"]), blacken: z.boolean() }).optional(),
    resolution: finite.positive().nullable(),
    metrics: z.record(z.string(), z.unknown()),
    training: z.record(z.string(), z.unknown()),
  })
  .refine((m) => new Set(m.classes.map((c) => c.value)).size === m.classes.length, {
    message: "two classes have the same value",
    path: ["classes"],
  })
  .refine((m) => m.modelType !== ONNX_MODEL_TYPE || m.graph !== undefined, {
    message: "it does not say how its ONNX network is run",
    path: ["graph"],
  })
  .refine((m) => m.graph === undefined || !isBuiltIn(m.modelType), {
    message: "a network that geolearn builds itself has none",
    path: ["graph"],
  })
  .refine((m) => m.graph === undefined || OUTPUTS[m.task] === m.graph.output.kind, {
    message: "the network's output is not that of its task",
    path: ["graph", "output"],
  })
  // A network of others comes without statistics.
  .refine((m) => m.statistics.length === m.bandIndices.length || (m.modelType === ONNX_MODEL_TYPE && m.statistics.length === 0), {
    message: "bandIndices and statistics differ in length",
    path: ["statistics"],
  })
  .refine((m) => m.bandNames.length === m.bandIndices.length, {
    message: "bandNames and bandIndices differ in length",
    path: ["bandNames"],
  });

/**
 * The manifest, if `value` is one.
 *
 * @throws the given code (MODEL_CORRUPT by default) that names the first wrong field
 */
export function checkManifest(value: unknown, what: string, code: "MODEL_CORRUPT" | "INVALID_ARGUMENT" = "MODEL_CORRUPT"): ModelManifest {
  const result = manifestSchema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const field = issue?.path.join(".") ?? "";
  throw new GeoLearnError(
    code,
    `${what}: the description of the model is not sound${field === "" ? "" : ` at "${field}"`}: ${issue?.message ?? "unknown"}.`,
    {
      hint: code === "MODEL_CORRUPT" ? "Save the model again with geolearn." : "Correct the manifest.",
      data: { field },
      cause: result.error,
    },
  );
}
