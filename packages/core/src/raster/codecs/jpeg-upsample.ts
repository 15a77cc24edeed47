/** Brings subsampled JPEG components to full size as libjpeg does: by repetition, or a triangle filter for factors of two. */

import type { JpegComponent, JpegStructure } from "./jpeg-markers.ts";

/** Writes the component's samples at the size of the image into `out`. */
export function upsample(
  { h, v, width, height, blocksAcross }: JpegComponent,
  plane: Uint8Array,
  image: JpegStructure,
  smooth: boolean,
  out: Uint8Array,
): void {
  const stride = blocksAcross * 8;
  const acrossBy = image.maxH / h;
  const downBy = image.maxV / v;
  if (acrossBy === 1 && downBy === 1) {
    for (let row = 0; row < height; row++) out.set(plane.subarray(row * stride, row * stride + width), row * width);
    return;
  }
  // libjpeg filters only components wider than two samples
  const fancy = smooth && width > 2;
  if (acrossBy === 2 && downBy === 2 && fancy) return upsampleBoth(plane, stride, width, height, image, out);
  if (acrossBy === 2 && downBy === 1 && fancy) return upsampleAcross(plane, stride, width, image, out);
  if (acrossBy === 1 && downBy === 2 && smooth) return upsampleDown(plane, stride, height, image, out);
  const columns = Int32Array.from({ length: image.width }, (_, col) => Math.floor(col / acrossBy));
  for (let row = 0, to = 0; row < image.height; row++) {
    const from = Math.floor(row / downBy) * stride;
    for (let col = 0; col < image.width; col++, to++) out[to] = plane[from + columns[col]!]!;
  }
  return undefined;
}

function upsampleAcross(plane: Uint8Array, stride: number, width: number, image: JpegStructure, out: Uint8Array): void {
  for (let row = 0; row < image.height; row++) {
    const from = row * stride;
    const to = row * image.width;
    for (let col = 0; col < image.width; col++) {
      const i = col >> 1;
      const odd = col & 1;
      const neighbour = i + (odd === 1 ? 1 : -1);
      const here = plane[from + i]!;
      out[to + col] = neighbour < 0 || neighbour >= width ? here : (here * 3 + plane[from + neighbour]! + 1 + odd) >> 2;
    }
  }
}

function upsampleDown(plane: Uint8Array, stride: number, height: number, image: JpegStructure, out: Uint8Array): void {
  for (let row = 0; row < image.height; row++) {
    const i = row >> 1;
    const odd = row & 1;
    const near = i * stride;
    const far = Math.min(Math.max(i + (odd === 1 ? 1 : -1), 0), height - 1) * stride;
    const to = row * image.width;
    for (let col = 0; col < image.width; col++) out[to + col] = (plane[near + col]! * 3 + plane[far + col]! + 1 + odd) >> 2;
  }
}

function upsampleBoth(plane: Uint8Array, stride: number, width: number, height: number, image: JpegStructure, out: Uint8Array): void {
  const sums = new Int32Array(width);
  for (let row = 0; row < image.height; row++) {
    const i = row >> 1;
    const near = i * stride;
    const far = Math.min(Math.max(i + ((row & 1) === 1 ? 1 : -1), 0), height - 1) * stride;
    for (let col = 0; col < width; col++) sums[col] = plane[near + col]! * 3 + plane[far + col]!;
    let to = row * image.width;
    const end = to + image.width;
    out[to++] = (sums[0]! * 4 + 8) >> 4;
    let previous = sums[0]!;
    let here = previous;
    for (let col = 0; col < width - 1; col++) {
      const next = sums[col + 1]!;
      if (col > 0) out[to++] = (here * 3 + previous + 8) >> 4;
      out[to++] = (here * 3 + next + 7) >> 4;
      previous = here;
      here = next;
    }
    if (to < end) out[to++] = (here * 3 + previous + 8) >> 4;
    if (to < end) out[to] = (here * 4 + 7) >> 4;
  }
}
