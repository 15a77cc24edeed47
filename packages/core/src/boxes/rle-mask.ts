/**
 * Masks of single objects as runs, in COCO's order: column by column from the top left, runs of 0 and 1 in turn, the first of
 * 0 (and empty when the first pixel is set). A building in a chip takes some dozen numbers instead of all its pixels. The text
 * form is COCO's, so that annotations and results can be exchanged with pycocotools.
 */

import { GeoLearnError } from "../errors.ts";

/** A binary mask as runs down its columns. */
export interface RleMask {
  readonly width: number;
  readonly height: number;
  /** Lengths of the runs, 0 and 1 in turn, beginning with 0; they add up to all pixels. */
  readonly counts: Uint32Array;
}

/** A mask of pixels row by row (anything but 0 is set) as runs. @throws INVALID_ARGUMENT when the pixels do not fill the size */
export function encodeMask(pixels: ArrayLike<number>, width: number, height: number): RleMask {
  if (pixels.length !== width * height) {
    throw new GeoLearnError("INVALID_ARGUMENT", `${pixels.length} pixels were given for a mask of ${width} x ${height}.`);
  }
  const counts: number[] = [];
  let set = false;
  let run = 0;
  for (let col = 0; col < width; col++) {
    for (let row = 0, i = col; row < height; row++, i += width) {
      if ((pixels[i] !== 0) !== set) {
        counts.push(run);
        run = 0;
        set = !set;
      }
      run += 1;
    }
  }
  if (run > 0 || counts.length === 0) counts.push(run);
  return { width, height, counts: Uint32Array.from(counts) };
}

/** The pixels of a mask, row by row: 1 where it is set. @throws INVALID_ARGUMENT when the runs do not fill the size */
export function decodeMask({ width, height, counts }: RleMask): Uint8Array {
  const pixels = new Uint8Array(width * height);
  let at = 0;
  for (let k = 0; k < counts.length; k++) {
    const end = at + counts[k]!;
    if (end > pixels.length) break;
    if (k % 2 === 1) for (let i = at; i < end; i++) pixels[(i % height) * width + Math.floor(i / height)] = 1;
    at = end;
  }
  requireFilled({ width, height, counts });
  return pixels;
}

/** Pixels that are set. */
export function maskArea({ counts }: RleMask): number {
  let area = 0;
  for (let k = 1; k < counts.length; k += 2) area += counts[k]!;
  return area;
}

/** The box around the pixels that are set, `[xmin, ymin, xmax, ymax]` in pixels; all 0 for an empty mask. */
export function maskBounds({ height, counts }: RleMask): [xmin: number, ymin: number, xmax: number, ymax: number] {
  let [xmin, ymin, xmax, ymax] = [Infinity, Infinity, 0, 0];
  let at = 0;
  for (let k = 0; k < counts.length; k++) {
    const end = at + counts[k]!;
    if (k % 2 === 1 && end > at) {
      const [first, last] = [Math.floor(at / height), Math.floor((end - 1) / height)];
      xmin = Math.min(xmin, first);
      xmax = Math.max(xmax, last + 1);
      // a run over a column's end fills that column's foot and the next one's head
      ymin = first === last ? Math.min(ymin, at % height) : 0;
      ymax = first === last ? Math.max(ymax, ((end - 1) % height) + 1) : height;
    }
    at = end;
  }
  return xmin === Infinity ? [0, 0, 0, 0] : [xmin, ymin, xmax, ymax];
}

/** Pixels that are set in both. @throws INVALID_ARGUMENT for masks of different size */
export function maskIntersection(a: RleMask, b: RleMask): number {
  if (a.width !== b.width || a.height !== b.height) {
    throw new GeoLearnError("INVALID_ARGUMENT", `A mask of ${a.width} x ${a.height} was compared with one of ${b.width} x ${b.height}.`, {
      hint: "Masks must cover the same image.",
    });
  }
  const [one, other] = [a.counts, b.counts];
  let shared = 0;
  for (let i = 0, j = 0, endA = one[0] ?? 0, endB = other[0] ?? 0, at = 0; i < one.length && j < other.length;) {
    const end = Math.min(endA, endB);
    if (i % 2 === 1 && j % 2 === 1) shared += end - at;
    at = end;
    if (endA === end) endA += one[++i] ?? 0;
    if (endB === end) endB += other[++j] ?? 0;
  }
  return shared;
}

/** Intersection over union of two masks, 0 to 1; of empty ones 0. @throws INVALID_ARGUMENT for masks of different size */
export function maskIou(a: RleMask, b: RleMask): number {
  const shared = maskIntersection(a, b);
  return shared === 0 ? 0 : shared / (maskArea(a) + maskArea(b) - shared);
}

/**
 * The runs as COCO's text: differences from the run before the last, five bits a character.
 *
 * @example
 * JSON.stringify({ size: [mask.height, mask.width], counts: maskToText(mask) }); // an RLE of COCO
 */
export function maskToText({ counts }: RleMask): string {
  let text = "";
  for (let k = 0; k < counts.length; k++) {
    let rest = k > 2 ? counts[k]! - counts[k - 2]! : counts[k]!;
    for (let more = true; more;) {
      const bits = rest & 0x1f;
      rest >>= 5;
      more = (bits & 0x10) === 0 ? rest !== 0 : rest !== -1;
      text += String.fromCharCode((more ? bits | 0x20 : bits) + 48);
    }
  }
  return text;
}

/** The mask of COCO's text; `size` is `[height, width]` there. @throws INVALID_ARGUMENT for text that is none, or of another size */
export function maskFromText(text: string, width: number, height: number): RleMask {
  const counts: number[] = [];
  for (let p = 0; p < text.length;) {
    let value = 0;
    for (let k = 0, more = true; more; k++, p++) {
      const bits = text.charCodeAt(p) - 48;
      // NaN past the end fails this, too
      if (!(bits >= 0 && bits < 64) || k > 6) {
        throw new GeoLearnError("INVALID_ARGUMENT", `The text of a mask breaks off or has a wrong character at ${p}.`, {
          hint: "It must be the `counts` of a compressed RLE as COCO writes it.",
        });
      }
      value |= (bits & 0x1f) << (5 * k);
      more = (bits & 0x20) !== 0;
      if (!more && (bits & 0x10) !== 0 && k < 6) value |= -1 << (5 * (k + 1));
    }
    counts.push(counts.length > 2 ? value + counts.at(-2)! : value);
  }
  const negative = counts.find((count) => count < 0);
  if (negative !== undefined) throw new GeoLearnError("INVALID_ARGUMENT", `The text of a mask has a run of ${negative} pixels.`);
  const mask = { width, height, counts: Uint32Array.from(counts) };
  requireFilled(mask);
  return mask;
}

function requireFilled({ width, height, counts }: RleMask): void {
  const sum = counts.reduce((a, b) => a + b, 0);
  if (sum === width * height) return;
  throw new GeoLearnError("INVALID_ARGUMENT", `The runs of a mask add up to ${sum} pixels; its size is ${width} x ${height}.`, {
    hint: "COCO writes sizes as [height, width].",
  });
}
