/** The layouts of what detectors of other frameworks give. */

import type { HostTensor } from "@geolearn/engine";
import type { OnnxConfig } from "@geolearn/models";

import type { Detection, PixelBlock } from "../inference-function.ts";

type Order = Extract<OnnxConfig["output"], { kind: "objects" }>["order"];
type Mask = NonNullable<Detection["mask"]>;

/** Corners in pixels. */
export function cornersOf(
  numbers: HostTensor["data"],
  at: number,
  order: Order,
  [width, height]: readonly [number, number],
): Detection["box"] {
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
export function gridMasks(
  { data, shape }: HostTensor,
  objects: number,
  { width, height }: Pick<PixelBlock, "width" | "height">,
): ((at: number, box: Detection["box"]) => Mask) | null {
  const [rows, columns] = [shape.at(-2) ?? 0, shape.at(-1) ?? 0];
  const area = rows * columns;
  if (shape.length < 3 || data.length !== objects * area) return null;
  const scoresOf = (at: number): Float32Array => data.slice(at * area, (at + 1) * area) as Float32Array;
  if (rows !== height || columns !== width) return (at) => ({ width: columns, height: rows, scores: scoresOf(at) });
  return (at, box) => sampled(scoresOf(at), columns, rows, box);
}

/** Bilinear between the centres of pixels. */
function sampled(image: Float32Array, columns: number, rows: number, [x0, y0, x1, y1]: Detection["box"]): Mask {
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
