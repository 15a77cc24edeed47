/** The layouts of what detectors of other frameworks give. */

import { GeoLearnError } from "@geolearn/core";
import type { HostTensor } from "@geolearn/engine";

import type { OnnxConfig } from "./spec.ts";

type ObjectOutput = Extract<OnnxConfig["output"], { kind: "objects" }>;
type Mask = NonNullable<GraphObject["mask"]>;

/** An object a graph found on an image. */
export interface GraphObject {
  /** Pixels of the image, from its upper left corner. */
  readonly box: readonly [xmin: number, ymin: number, xmax: number, ymax: number];
  /** 0 to 1. */
  readonly score: number;
  /** Position among the manifest's classes. */
  readonly classIndex: number;
  /** How likely each part of the box belongs to the object, 0 to 1, `[height][width]` over the box; only from graphs that outline. */
  readonly mask?: { readonly width: number; readonly height: number; readonly scores: Float32Array } | undefined;
}

/** What is needed to read the arrays of a run. */
export interface ObjectReading {
  readonly output: ObjectOutput;
  /** Sides of the images. */
  readonly width: number;
  readonly height: number;
  /** How many classes are described. */
  readonly classes: number;
  /** The file, for messages. */
  readonly source: string;
}

/**
 * The objects of each image of a run, the best first.
 *
 * @throws ENGINE_FAILED for arrays that do not go together; CLASS_UNKNOWN for a label nobody described
 */
export function objectsOf(results: Readonly<Record<string, HostTensor>>, reading: ObjectReading): (readonly GraphObject[])[] {
  const { output, width, height, source } = reading;
  const [boxes, scores, labels] = [results[output.boxes]!, results[output.scores]!, results[output.labels]!];
  const masks = output.masks === undefined ? null : results[output.masks]!;
  // Without a side for images there is one; with padding, scores of 0 fill up.
  const count = boxes.shape.length === 3 ? boxes.shape[0]! : 1;
  const each = boxes.data.length / 4 / Math.max(1, count);
  if (scores.data.length !== count * each || labels.data.length !== count * each) throw unequal(source, { boxes, scores, labels });
  const maskOf = masks === null ? null : gridMasks(masks, count * each, reading);
  if (masks !== null && maskOf === null) throw unequal(source, { boxes, scores, labels, masks });
  const unit = output.unit === "fraction" ? ([width, height] as const) : ([1, 1] as const);
  return Array.from({ length: count }, (_, image) =>
    Array.from({ length: each }, (_unused, k) => image * each + k)
      .filter((at) => scores.data[at]! > 0)
      .map((at) => {
        const box = cornersOf(boxes.data, 4 * at, output.order, unit);
        const found = { box, score: scores.data[at]!, classIndex: classIndexOf(labels.data[at]!, reading) };
        return maskOf === null ? found : { ...found, mask: maskOf(at, box) };
      })
      .toSorted((a, b) => b.score - a.score),
  );
}

function classIndexOf(label: number, { classes, source }: ObjectReading): number {
  if (Number.isInteger(label) && label >= 0 && label < classes) return label;
  throw new GeoLearnError("CLASS_UNKNOWN", `${source} gives the label ${label}; ${classes} classes are described.`, {
    hint: "Describe all `classes` by their labels from 0, background first where the network counts it.",
    data: { label },
  });
}

function unequal(source: string, outputs: Readonly<Record<string, HostTensor>>): GeoLearnError {
  const said = Object.entries(outputs).map(([name, { shape }]) => `${name} [${shape.join(", ")}]`);
  return new GeoLearnError("ENGINE_FAILED", `${source} gives outputs that do not go together: ${said.join(", ")}.`, {
    hint: "Name the right outputs in the spec.",
  });
}

/** Corners in pixels. */
function cornersOf(
  numbers: HostTensor["data"],
  at: number,
  order: ObjectOutput["order"],
  [width, height]: readonly [number, number],
): GraphObject["box"] {
  const [a, b, c, d] = [numbers[at]!, numbers[at + 1]!, numbers[at + 2]!, numbers[at + 3]!];
  const corners = {
    xyxy: [a, b, c, d],
    yxyx: [b, a, d, c],
    xywh: [a, b, a + c, b + d],
    cxcywh: [a - c / 2, b - d / 2, a + c / 2, b + d / 2],
  }[order] as [number, number, number, number];
  return [corners[0] * width, corners[1] * height, corners[2] * width, corners[3] * height];
}

/**
 * The masks of some objects, each as a grid over its box: they are grids already, or as large as the image and are sampled there, a
 * point for every pixel. Null when there is not one for each object.
 */
function gridMasks(
  { data, shape }: HostTensor,
  objects: number,
  { width, height }: Pick<ObjectReading, "width" | "height">,
): ((at: number, box: GraphObject["box"]) => Mask) | null {
  const [rows, columns] = [shape.at(-2) ?? 0, shape.at(-1) ?? 0];
  const area = rows * columns;
  if (shape.length < 3 || data.length !== objects * area) return null;
  const scoresOf = (at: number): Float32Array => data.slice(at * area, (at + 1) * area) as Float32Array;
  if (rows !== height || columns !== width) return (at) => ({ width: columns, height: rows, scores: scoresOf(at) });
  return (at, box) => sampled(scoresOf(at), columns, rows, box);
}

/** Bilinear between the centres of pixels. */
function sampled(image: Float32Array, columns: number, rows: number, [x0, y0, x1, y1]: GraphObject["box"]): Mask {
  const [width, height] = [Math.max(1, Math.ceil(x1 - x0)), Math.max(1, Math.ceil(y1 - y0))];
  const scores = new Float32Array(width * height);
  const inside = (value: number, count: number): number => Math.min(count - 1, Math.max(0, value));
  for (let j = 0; j < height; j++) {
    const y = inside(y0 + ((j + 0.5) * (y1 - y0)) / height - 0.5, rows);
    const [top, bottom] = [Math.floor(y), Math.ceil(y)];
    for (let i = 0; i < width; i++) {
      const x = inside(x0 + ((i + 0.5) * (x1 - x0)) / width - 0.5, columns);
      const [left, right] = [Math.floor(x), Math.ceil(x)];
      const above = mix(image[top * columns + left]!, image[top * columns + right]!, x - left);
      scores[j * width + i] = mix(above, mix(image[bottom * columns + left]!, image[bottom * columns + right]!, x - left), y - top);
    }
  }
  return { width, height, scores };
}

function mix(a: number, b: number, share: number): number {
  return a + (b - a) * share;
}
