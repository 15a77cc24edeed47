/** COCO's run lengths: pixels column by column, runs of 0 and 1 in turn, beginning with 0. */

/** The runs of a mask. */
export function encodeRuns(mask: Uint8Array, width: number): number[] {
  const height = mask.length / width;
  const counts: number[] = [];
  let value = 0;
  let run = 0;
  for (let col = 0; col < width; col++) {
    for (let row = 0; row < height; row++) {
      if (mask[row * width + col] !== value) {
        counts.push(run);
        run = 0;
        value = 1 - value;
      }
      run++;
    }
  }
  counts.push(run);
  return counts;
}

/** Positions, row by row, of the pixels that are 1. */
export function runPixels({
  counts,
  width,
  height,
}: {
  readonly counts: readonly number[];
  readonly width: number;
  readonly height: number;
}): number[] {
  const pixels: number[] = [];
  let at = 0;
  counts.forEach((count, i) => {
    if (i % 2 === 1) for (let k = at; k < at + count; k++) pixels.push((k % height) * width + Math.floor(k / height));
    at += count;
  });
  return pixels;
}

/**
 * Runs from COCO's text: numbers of six bits a character, from the fourth on as the difference to the one before the last
 * (cocoapi's maskApi.c, rleFrString).
 */
export function decodeRuns(text: string): number[] {
  const counts: number[] = [];
  let at = 0;
  while (at < text.length) {
    let value = 0;
    let shift = 0;
    let bits: number;
    do {
      bits = text.charCodeAt(at++) - 48;
      value |= (bits & 0x1f) << shift;
      shift += 5;
    } while ((bits & 0x20) !== 0 && at < text.length);
    if ((bits & 0x10) !== 0 && shift < 32) value |= -1 << shift;
    counts.push(counts.length > 2 ? value + counts[counts.length - 2]! : value);
  }
  return counts;
}
