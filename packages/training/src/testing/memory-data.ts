/** Learning data held in memory, for tests: the contract of `prepareData` without files. */

import { type BandStatistics, type ClassDefinition, createRng, encodePng, renderBands } from "@geolearn/core";
import { type BatchesOptions, type ChipSet, IGNORE_INDEX, type LearningData, type PixelBatch } from "@geolearn/data-prep";

/** One chip. */
export interface MemoryChip {
  readonly name: string;
  /** `[side, side, bands]`. */
  readonly image: Float32Array;
  /** `[side, side]` class indices. */
  readonly target: Int32Array;
}

/** Options of {@link memoryData}. */
export interface MemoryDataOptions {
  readonly train: readonly MemoryChip[];
  readonly valid: readonly MemoryChip[];
  readonly side: number;
  readonly bands: number;
  readonly classes: readonly ClassDefinition[];
  readonly batchSize?: number;
  readonly seed?: number;
  /** Flips of every training chip, drawn per epoch. @defaultValue false */
  readonly augment?: boolean;
  /** Called before each batch is given. */
  readonly onRead?: (epoch: number, batch: number) => void | Promise<void>;
}

/** The data; `close` is counted so that tests see it. */
export function memoryData(options: MemoryDataOptions): LearningData<"pixelClassification"> {
  const { side, bands, classes, batchSize = 2, seed = 1 } = options;
  const classPixels = classes.map((_, k) => options.train.reduce((sum, { target }) => sum + target.filter((t) => t === k).length, 0));
  return {
    task: "pixelClassification",
    classes,
    ignoredClasses: [],
    chipWidth: side,
    chipHeight: side,
    batchSize,
    bands,
    bandNames: Array.from({ length: bands }, (_, b) => `band ${b + 1}`),
    bandIndices: Array.from({ length: bands }, (_, b) => b),
    sourceBands: bands,
    sampleType: "uint8",
    statistics: Array.from({ length: bands }, (_, b) => statisticsOf(options.train, bands, b)),
    classPixels,
    resolution: 0.5,
    seed,
    cachedBytes: 0,
    train: chipSet(options, true),
    valid: chipSet(options, false),
    classWeights: () => {
      const inverse = classPixels.map((count) => 1 / Math.max(1, count));
      const mean = inverse.reduce((a, b) => a + b, 0) / inverse.length;
      return inverse.map((w) => w / mean);
    },
    showBatch: () => {
      const chip = options.train[0]!;
      return Promise.resolve(encodePng(renderBands({ data: chip.image, bands, width: side, height: side, layout: "pixels" })));
    },
    close: () => Promise.resolve(),
  };
}

function chipSet(options: MemoryDataOptions, training: boolean): ChipSet {
  const { batchSize = 2, seed = 1, onRead } = options;
  const chips = training ? options.train : options.valid;
  const batches = training ? Math.floor(chips.length / batchSize) : Math.ceil(chips.length / batchSize);
  return {
    count: chips.length,
    batches,
    names: chips.map(({ name }) => name).sort(),
    async *read({ epoch = 0, from = 0, signal }: BatchesOptions = {}) {
      const order = training ? createRng([seed, epoch]).permutation(chips.length) : Uint32Array.from(chips, (_, i) => i);
      for (let batch = from; batch < batches; batch++) {
        signal?.throwIfAborted();
        await onRead?.(epoch, batch);
        const members = [...order.subarray(batch * batchSize, (batch + 1) * batchSize)];
        yield assemble(
          members.map((i) => (training && options.augment ? flipped(chips[i]!, options, createRng([seed, epoch, i]).int(4)) : chips[i]!)),
          options,
        );
      }
    },
  };
}

function assemble(chips: readonly MemoryChip[], { side, bands, batchSize = 2 }: MemoryDataOptions): PixelBatch {
  const images = new Float32Array(batchSize * side * side * bands);
  const targets = new Int32Array(batchSize * side * side).fill(IGNORE_INDEX);
  chips.forEach((chip, i) => {
    images.set(chip.image, i * side * side * bands);
    targets.set(chip.target, i * side * side);
  });
  return { images, targets, size: batchSize, real: chips.length, names: chips.map(({ name }) => name) };
}

function flipped(chip: MemoryChip, { side, bands }: MemoryDataOptions, kind: number): MemoryChip {
  const image = new Float32Array(chip.image.length);
  const target = new Int32Array(chip.target.length);
  for (let row = 0; row < side; row++) {
    for (let col = 0; col < side; col++) {
      const from = (kind & 1 ? side - 1 - row : row) * side + (kind & 2 ? side - 1 - col : col);
      const to = row * side + col;
      target[to] = chip.target[from]!;
      for (let b = 0; b < bands; b++) image[to * bands + b] = chip.image[from * bands + b]!;
    }
  }
  return { name: chip.name, image, target };
}

function statisticsOf(chips: readonly MemoryChip[], bands: number, band: number): BandStatistics {
  let [min, max, sum, squares, count] = [Infinity, -Infinity, 0, 0, 0];
  for (const { image } of chips) {
    for (let i = band; i < image.length; i += bands) {
      const value = image[i]!;
      min = Math.min(min, value);
      max = Math.max(max, value);
      sum += value;
      squares += value * value;
      count++;
    }
  }
  const mean = sum / Math.max(1, count);
  return { min, max, mean, std: Math.sqrt(Math.max(0, squares / Math.max(1, count) - mean * mean)), count };
}

/** Chips with a bright textured disc (class 1) on a dim noisy ground (class 0). */
export function discChips(
  count: number,
  { side = 16, bands = 3, seed = 5, shuffled = false, prefix = "chip" }: DiscOptions = {},
): MemoryChip[] {
  return Array.from({ length: count }, (_, n) => {
    const rng = createRng([seed, n]);
    const radius = side * (0.2 + 0.15 * rng.next());
    const centreX = side * (0.3 + 0.4 * rng.next());
    const centreY = side * (0.3 + 0.4 * rng.next());
    const image = new Float32Array(side * side * bands);
    const target = new Int32Array(side * side);
    for (let p = 0; p < side * side; p++) {
      const inside = Math.hypot((p % side) + 0.5 - centreX, Math.floor(p / side) + 0.5 - centreY) < radius;
      target[p] = inside ? 1 : 0;
      for (let b = 0; b < bands; b++) image[p * bands + b] = Math.round((inside ? 150 : 90) + 20 * rng.normal() + 10 * b);
    }
    if (shuffled) {
      // Labels that have nothing to do with the image: every pixel drawn anew with the same share of class 1.
      const share = target.reduce((a, b) => a + b, 0) / target.length;
      for (let p = 0; p < target.length; p++) target[p] = rng.next() < share ? 1 : 0;
    }
    return { name: `${prefix}${n}`, image, target };
  });
}

interface DiscOptions {
  readonly side?: number;
  readonly bands?: number;
  readonly seed?: number;
  readonly shuffled?: boolean;
  readonly prefix?: string;
}

/** Background and disc. */
export const DISC_CLASSES: readonly ClassDefinition[] = [
  { value: 0, name: "ground", color: [90, 90, 90] },
  { value: 5, name: "disc", color: [230, 120, 30] },
];

/** Sixteen training and five validation chips with discs. */
export function discData(options: Partial<MemoryDataOptions> & { readonly shuffled?: boolean } = {}): LearningData<"pixelClassification"> {
  const { shuffled = false, ...rest } = options;
  const side = options.side ?? 16;
  return memoryData({
    train: discChips(16, { side, shuffled, prefix: "train" }),
    valid: discChips(5, { side, shuffled, seed: 77, prefix: "valid" }),
    side,
    bands: 3,
    classes: DISC_CLASSES,
    batchSize: 4,
    ...rest,
  });
}
