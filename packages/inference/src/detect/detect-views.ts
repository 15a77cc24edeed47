/** Test-time augmentation of detectors: what the views of a block show, turned back and fused. */

import { fuseBoxes } from "@geolearn/core";

import { applyView, type View, viewsOf } from "../blend/views.ts";
import type { Detection, DetectionFunction, PixelBlock } from "../inference-function.ts";

/** Objects of each block from all its views, by weighted box fusion; an outline comes from the surest view. */
export async function detectViews(fn: DetectionFunction, block: PixelBlock, minIou: number, signal?: AbortSignal): Promise<Detection[][]> {
  const { size, height, width } = block;
  const views = viewsOf(width, height);
  const seen: Detection[][][] = [];
  for (const view of views) {
    const pixels = applyView(block.pixels, size, height, width, view);
    const mask = applyView(block.mask, size, height, width, view);
    const found = await fn.detect({ ...block, pixels, mask }, signal);
    seen.push(found.map((image) => image.map((detection) => turnBack(detection, view, width, height))));
  }
  return Array.from({ length: size }, (_, image) =>
    fuse(
      seen.map((found) => found[image]!),
      minIou,
    ),
  );
}

function fuse(found: readonly (readonly Detection[])[], minIou: number): Detection[] {
  const sources = found.map((detections) => ({
    boxes: Float64Array.from(detections.flatMap(({ box }) => [...box])),
    scores: detections.map(({ score }) => score),
    labels: detections.map(({ classIndex }) => classIndex),
  }));
  const { boxes, scores, labels } = fuseBoxes(sources, { minIou });
  const outlined = found.flat().filter(({ mask }) => mask !== undefined);
  return Array.from(scores, (score, i) => {
    const box = [boxes[4 * i]!, boxes[4 * i + 1]!, boxes[4 * i + 2]!, boxes[4 * i + 3]!] as const;
    const mask = surestMask(outlined, box, labels[i]!);
    return { box, score, classIndex: labels[i]!, ...(mask === undefined ? {} : { mask }) };
  });
}

function surestMask(outlined: readonly Detection[], box: Detection["box"], classIndex: number): Detection["mask"] {
  let best: Detection | undefined;
  for (const one of outlined) {
    if (one.classIndex !== classIndex || !covers(one.box, box) || (best !== undefined && best.score >= one.score)) continue;
    best = one;
  }
  return best?.mask;
}

/** Whether the middle of each box lies in the other. */
function covers(a: Detection["box"], b: Detection["box"]): boolean {
  const holds = (outer: Detection["box"], inner: Detection["box"]): boolean => {
    const [x, y] = [(inner[0] + inner[2]) / 2, (inner[1] + inner[3]) / 2];
    return x >= outer[0] && x <= outer[2] && y >= outer[1] && y <= outer[3];
  };
  return holds(a, b) && holds(b, a);
}

/** A detection of a view, where it lies in the block. */
export function turnBack(detection: Detection, { transpose, flipRows, flipColumns }: View, width: number, height: number): Detection {
  const [x0, y0, x1, y1] = transpose ? swapped(detection.box) : detection.box;
  const [left, right] = flipColumns ? [width - x1, width - x0] : [x0, x1];
  const [top, bottom] = flipRows ? [height - y1, height - y0] : [y0, y1];
  const box = [left, top, right, bottom] as const;
  if (detection.mask === undefined) return { ...detection, box };
  return { ...detection, box, mask: turnMask(detection.mask, { transpose, flipRows, flipColumns }) };
}

function swapped([x0, y0, x1, y1]: Detection["box"]): Detection["box"] {
  return [y0, x0, y1, x1];
}

function turnMask(
  { width, height, scores }: NonNullable<Detection["mask"]>,
  { transpose, flipRows, flipColumns }: View,
): Detection["mask"] {
  const [across, down] = transpose ? [height, width] : [width, height];
  const turned = new Float32Array(scores.length);
  for (let y = 0; y < down; y++) {
    for (let x = 0; x < across; x++) {
      const [row, col] = [flipRows ? down - 1 - y : y, flipColumns ? across - 1 - x : x];
      turned[y * across + x] = transpose ? scores[col * width + row]! : scores[row * width + col]!;
    }
  }
  return { width: across, height: down, scores: turned };
}
