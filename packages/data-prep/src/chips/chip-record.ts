/** What is known of a chip after one look: position, moments of its bands, pixels per label value. */

import type { Affine } from "@geolearn/core";

import { type BandMoments, NO_MOMENTS } from "../esri/accumulated-stats.ts";
import { type Chip, type ChipImage, IGNORE_VALUE } from "./chip.ts";

/** The measured content of one chip. */
export interface ChipRecord {
  readonly name: string;
  readonly version: string;
  readonly transform: Affine | null;
  /** `"EPSG:n"`, WKT, or null. */
  readonly crs: string | null;
  /** Per band, over valid pixels. */
  readonly moments: readonly BandMoments[];
  /** Labelled pixels, or objects, per class value, ascending; ignored pixels and those without image data are not counted. */
  readonly labels: readonly (readonly [value: number, pixels: number])[];
}

/** Moments of every band over valid samples; float64 throughout. */
export function measureBands(chip: Pick<ChipImage, "image" | "mask" | "nodata" | "bands" | "width" | "height">): BandMoments[] {
  const area = chip.width * chip.height;
  const moments: BandMoments[] = [];
  for (let band = 0; band < chip.bands; band++) {
    const samples = chip.image.subarray(band * area, (band + 1) * area);
    moments.push(samples instanceof Uint8Array ? histogramMoments(samples, chip.mask, chip.nodata) : streamMoments(samples, chip));
  }
  return moments;
}

/** Exact moments of 8-bit samples from their histogram. */
function histogramMoments(samples: Uint8Array, mask: Uint8Array | null, nodata: number | null): BandMoments {
  const counts = countBytes(samples, mask);
  if (nodata !== null && nodata >= 0 && nodata <= 255 && Number.isInteger(nodata)) counts[nodata] = 0;
  let count = 0;
  let sum = 0;
  let min = 255;
  let max = 0;
  for (let value = 0; value < 256; value++) {
    const n = counts[value]!;
    if (n === 0) continue;
    count += n;
    sum += n * value;
    min = Math.min(min, value);
    max = value;
  }
  if (count === 0) return NO_MOMENTS;
  const mean = sum / count;
  let m2 = 0;
  for (let value = 0; value < 256; value++) m2 += counts[value]! * (value - mean) ** 2;
  return { min, max, mean, m2, count };
}

/** Four tables in turn: equal neighbours would otherwise wait for each other's count. */
function countBytes(samples: Uint8Array, mask: Uint8Array | null): Float64Array {
  const tables = new Uint32Array(1024);
  const whole = samples.length & ~3;
  if (mask === null) {
    for (let i = 0; i < whole; i += 4) {
      tables[samples[i]!]!++;
      tables[256 + samples[i + 1]!]!++;
      tables[512 + samples[i + 2]!]!++;
      tables[768 + samples[i + 3]!]!++;
    }
    for (let i = whole; i < samples.length; i++) tables[samples[i]!]!++;
  } else {
    for (let i = 0; i < samples.length; i++) tables[samples[i]!]! += mask[i]!;
  }
  return Float64Array.from(
    { length: 256 },
    (_, value) => tables[value]! + tables[256 + value]! + tables[512 + value]! + tables[768 + value]!,
  );
}

/** Two passes, so that large offsets (elevation, reflectance) lose no digits. */
function streamMoments(samples: ChipImage["image"], { mask, nodata }: Pick<ChipImage, "mask" | "nodata">): BandMoments {
  let count = 0;
  let sum = 0;
  let min = Infinity;
  let max = -Infinity;
  for (let i = 0; i < samples.length; i++) {
    const value = samples[i]!;
    if ((mask !== null && mask[i] === 0) || value === nodata || !Number.isFinite(value)) continue;
    count++;
    sum += value;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  if (count === 0) return NO_MOMENTS;
  const mean = sum / count;
  let m2 = 0;
  for (let i = 0; i < samples.length; i++) {
    const value = samples[i]!;
    if ((mask !== null && mask[i] === 0) || value === nodata || !Number.isFinite(value)) continue;
    m2 += (value - mean) ** 2;
  }
  return { min, max, mean, m2, count };
}

/** Pixels per class value, ascending. */
export function countLabels({ labels, mask }: Pick<Chip, "labels" | "mask">): [value: number, pixels: number][] {
  const ignore = IGNORE_VALUE; // a local copy: module bindings are slow in some loaders
  const low = new Uint32Array(256);
  const high = new Map<number, number>();
  for (let i = 0; i < labels.length; i++) {
    if (mask !== null && mask[i] === 0) continue;
    const value = labels[i]!;
    if (value < 256) low[value]!++;
    else if (value !== ignore) high.set(value, (high.get(value) ?? 0) + 1);
  }
  const pairs: [number, number][] = [];
  for (let value = 0; value < 256; value++) if (low[value]! > 0) pairs.push([value, low[value]!]);
  return [...pairs, ...[...high].sort(([a], [b]) => a - b)];
}
