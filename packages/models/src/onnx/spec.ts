/** What a user says about an ONNX model of others, and what is kept of it in a model package. */

import { GeoLearnError, type Task } from "@geolearn/core";
import type { ImageLayout } from "@geolearn/engine";
import { z } from "zod";

import type { ClassSpec } from "./classes.ts";

/** Pixels become `(pixel * scale - mean) / std`; a number for all bands, or one for each. */
export interface OnnxNormalization {
  /** @defaultValue 1 */
  readonly scale?: number | readonly number[] | undefined;
  /** @defaultValue 0 */
  readonly mean?: number | readonly number[] | undefined;
  /** @defaultValue 1 */
  readonly std?: number | readonly number[] | undefined;
}

/** Boxes as corners, or as a corner or the centre with a size. */
export type BoxOrder = "xyxy" | "yxyx" | "xywh" | "cxcywh";

/**
 * What an ONNX file does not say of itself. Every field has a default: from geolearn's own description in the file, from the keys of
 * QGIS Deepness, or from the graph.
 */
export interface OnnxSpec {
  readonly task?: Task | undefined;
  /** @defaultValue the file's name */
  readonly name?: string | undefined;
  /** In the order of the network's outputs. @defaultValue "background", "class 1"... */
  readonly classes?: readonly ClassSpec[] | undefined;
  /** Positions in the raster, from 0, of the bands the network takes. @defaultValue the first ones */
  readonly bands?: readonly number[] | undefined;
  readonly bandNames?: readonly string[] | undefined;
  /** Number type of the training rasters, e.g. `"uint8"`. @defaultValue not known */
  readonly sampleType?: string | undefined;
  /** Side of a chip in pixels, or width and height. @defaultValue what the file fixes, or 256 */
  readonly chipSize?: number | readonly [number, number] | undefined;
  /** Ground size of a pixel in metres the network was trained at. @defaultValue not known */
  readonly cellSize?: number | undefined;
  /** Name of the input with the pixels. @defaultValue the only one */
  readonly input?: string | undefined;
  /** Order of its sides. @defaultValue found by the number of bands */
  readonly layout?: ImageLayout | undefined;
  /** @defaultValue none: raw pixel values */
  readonly normalization?: OnnxNormalization | undefined;
  /** Name of the output. @defaultValue the only one */
  readonly output?: string | undefined;
  /** Order of the output's sides; `NHW` has no channels. @defaultValue found by the number of classes */
  readonly outputLayout?: "NCHW" | "NHWC" | "NHW" | undefined;
  /**
   * What the output holds: `"logits"` get softmax (the logistic function when there is one channel, or `multiLabel`), `"softmax"` and `"sigmoid"` are scores
   * already, `"argmax"` are numbers of classes. @defaultValue found by the graph's last operation
   */
  readonly activation?: "logits" | "softmax" | "sigmoid" | "argmax" | undefined;
  /** Whether an image may have several classes, or none, each with a score of its own. @defaultValue false */
  readonly multiLabel?: boolean | undefined;
  /** With several classes an image: the score from which it has a class, for each class. @defaultValue 0.5 each */
  readonly thresholds?: readonly number[] | undefined;
  /** Pixels the output lacks at each border. @defaultValue found by running it */
  readonly margin?: number | undefined;
  /** Windows begin at multiples of this. @defaultValue 32, or 1 when the chip is no multiple of it */
  readonly stride?: number | undefined;
  /** Names of a detector's outputs. @defaultValue `"boxes"`, `"scores"`, `"labels"` */
  readonly boxes?: string | undefined;
  readonly scores?: string | undefined;
  readonly labels?: string | undefined;
  /**
   * Name of the masks of a network for `instanceSegmentation`: as large as the chip, or a grid over each box. @defaultValue `"masks"`
   */
  readonly masks?: string | undefined;
  /** @defaultValue "xyxy" */
  readonly boxOrder?: BoxOrder | undefined;
  /** Whether boxes are in pixels of the chip or in fractions of its sides. @defaultValue "pixels" */
  readonly boxUnit?: "pixels" | "fraction" | undefined;
}

const text = z.string().min(1).max(1000);
const perBand = z.union([z.number(), z.array(z.number()).min(1).max(4096)]);
const side = z.int().min(1).max(65536);
const color = z.tuple([z.int().min(0).max(255), z.int().min(0).max(255), z.int().min(0).max(255)]);
const layout = z.enum(["NCHW", "NHWC", "CHW", "HWC"]);
const outputLayout = z.enum(["NCHW", "NHWC", "NHW"]);
const boxOrder = z.enum(["xyxy", "yxyx", "xywh", "cxcywh"]);
const boxUnit = z.enum(["pixels", "fraction"]);

const specSchema = z.strictObject({
  task: z.enum(["pixelClassification", "objectDetection", "instanceSegmentation", "objectClassification"]).optional(),
  name: text.optional(),
  classes: z
    .array(z.union([z.string(), z.strictObject({ name: z.string(), value: z.int().min(0).optional(), color: color.optional() })]))
    .min(1)
    .max(4096)
    .optional(),
  bands: z.array(z.int().min(0)).min(1).max(4096).optional(),
  bandNames: z.array(text).min(1).max(4096).optional(),
  sampleType: text.optional(),
  chipSize: z.union([side, z.tuple([side, side])]).optional(),
  cellSize: z.number().positive().optional(),
  input: text.optional(),
  layout: layout.optional(),
  normalization: z.strictObject({ scale: perBand.optional(), mean: perBand.optional(), std: perBand.optional() }).optional(),
  output: text.optional(),
  outputLayout: outputLayout.optional(),
  activation: z.enum(["logits", "softmax", "sigmoid", "argmax"]).optional(),
  multiLabel: z.boolean().optional(),
  thresholds: z.array(z.number().positive().lt(1)).min(1).max(4096).optional(),
  margin: z.int().min(0).max(65536).optional(),
  stride: side.optional(),
  boxes: text.optional(),
  scores: text.optional(),
  labels: text.optional(),
  masks: text.optional(),
  boxOrder: boxOrder.optional(),
  boxUnit: boxUnit.optional(),
});

/** A spec from a user. @throws INVALID_ARGUMENT that names the first wrong field */
export function checkOnnxSpec(value: unknown): OnnxSpec {
  const result = specSchema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const field = issue?.path.join(".") ?? "";
  throw new GeoLearnError(
    "INVALID_ARGUMENT",
    `The description of the ONNX model is not sound${field === "" ? "" : ` at "${field}"`}: ${issue?.message}.`,
    {
      hint: "Correct that field; the guide on ONNX lists all of them.",
      data: { field },
      cause: result.error,
    },
  );
}

const name = z.string().min(1).max(65536);

/** What a model package keeps of an ONNX network: everything needed to run it. */
export const onnxConfigSchema = z.object({
  input: name,
  layout,
  /** `(pixel - offset) / divisor`, one number per band. */
  offset: z.array(z.number()).max(4096).nullable(),
  divisor: z.array(z.number()).max(4096).nullable(),
  /** Images of every run; null for any number. */
  batch: side.nullable(),
  stride: side,
  margin: z.int().min(0).max(65536),
  output: z.discriminatedUnion("kind", [
    z.object({
      kind: z.literal("pixels"),
      name,
      layout: outputLayout,
      values: z.enum(["logits", "scores", "classes"]),
      channels: side,
      /** Times the result is enlarged to the size of the chip. */
      enlarge: side,
    }),
    z.object({
      kind: z.literal("objects"),
      boxes: name,
      scores: name,
      labels: name,
      /** Only of a network that outlines. */
      masks: name.optional(),
      order: boxOrder,
      unit: boxUnit,
    }),
    z.object({ kind: z.literal("image"), name, values: z.enum(["logits", "scores"]) }),
  ]),
});

/** How an ONNX network is run; the `graph` of its manifest. */
export type OnnxConfig = z.infer<typeof onnxConfigSchema>;

/** `modelType` of packages around an ONNX file of others. */
export const ONNX_MODEL_TYPE = "onnx";
