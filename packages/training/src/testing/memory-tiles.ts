/** Chips with classes of their own held in memory, for tests: the contract of `prepareData` without files. */

import { type ClassDefinition, createRng } from "@geolearn/core";
import { type BatchesOptions, type ChipSet, IGNORE_INDEX, type TileBatch, type TileData } from "@geolearn/data-prep";

/** Options of {@link stripeData}. */
export interface StripeDataOptions {
  readonly train?: number;
  readonly valid?: number;
  readonly width?: number;
  readonly height?: number;
  readonly bands?: number;
  readonly classes?: number;
  readonly multiLabel?: boolean;
  readonly batchSize?: number;
  readonly seed?: number;
  /** Factor of all pixel values, as of images of 12 or 16 bits. @defaultValue 1 */
  readonly scale?: number;
}

interface StripeChip {
  readonly name: string;
  readonly image: Float32Array;
  /** Positions of its classes, ascending. */
  readonly classes: readonly number[];
}

/** Noisy chips whose classes show as brightness of a stripe of their own: of classes k, stripe k is bright. */
export function stripeData(options: StripeDataOptions = {}): TileData {
  const {
    train = 32,
    valid = 16,
    width = 32,
    height = 32,
    bands = 3,
    classes: count = 3,
    multiLabel = false,
    batchSize = 8,
    seed = 1,
  } = options;
  const classes: ClassDefinition[] = Array.from({ length: count }, (_, k) => ({
    value: k + 1,
    name: `stripe ${k + 1}`,
    color: [40 * k, 200, 90],
  }));
  const sides = { train: stripeChips(train, options, 3), valid: stripeChips(valid, options, 4) };
  const scale = options.scale ?? 1;
  const classChips = classes.map((_, k) => sides.train.filter((chip) => chip.classes.includes(k)).length);
  return {
    task: "objectClassification",
    multiLabel,
    crop: { mode: "fixedSize", blacken: false },
    classes,
    ignoredClasses: [],
    chipWidth: width,
    chipHeight: height,
    batchSize,
    bands,
    bandNames: Array.from({ length: bands }, (_, b) => `band ${b + 1}`),
    bandIndices: Array.from({ length: bands }, (_, b) => b),
    sourceBands: bands,
    sampleType: scale === 1 ? "uint8" : "uint16",
    statistics: Array.from({ length: bands }, () => ({ min: 0, max: 255 * scale, mean: 100 * scale, std: 40 * scale, count: 1000 })),
    classChips,
    resolution: 0.5,
    seed,
    cachedBytes: 0,
    train: chipSet(sides.train, true),
    valid: chipSet(sides.valid, false),
    classWeights: () => classChips.map((chips) => train / (count * Math.max(1, chips))),
    showBatch: () => Promise.resolve(new Uint8Array()),
    close: () => Promise.resolve(),
  };

  function chipSet(chips: readonly StripeChip[], training: boolean): ChipSet<TileBatch> {
    const batches = training ? Math.floor(chips.length / batchSize) : Math.ceil(chips.length / batchSize);
    return {
      count: chips.length,
      batches,
      names: chips.map(({ name }) => name),
      async *read({ epoch = 0, from = 0, signal }: BatchesOptions = {}) {
        const order = training ? createRng([seed, epoch]).permutation(chips.length) : Uint32Array.from(chips, (_chip, i) => i);
        for (let batch = from; batch < batches; batch++) {
          signal?.throwIfAborted();
          await Promise.resolve();
          yield assembled([...order.subarray(batch * batchSize, (batch + 1) * batchSize)].map((i) => chips[i]!));
        }
      },
    };
  }

  function assembled(chips: readonly StripeChip[]): TileBatch {
    const images = new Float32Array(batchSize * width * height * bands);
    chips.forEach(({ image }, i) => images.set(image, i * image.length));
    const labels = multiLabel ? new Uint8Array(batchSize * count) : new Int32Array(batchSize).fill(IGNORE_INDEX);
    chips.forEach((chip, i) => {
      if (multiLabel) for (const k of chip.classes) labels[i * count + k] = 1;
      else labels[i] = chip.classes[0]!;
    });
    return { images, labels, size: batchSize, real: chips.length, names: chips.map(({ name }) => name) };
  }
}

function stripeChips(
  count: number,
  { width = 32, height = 32, bands = 3, classes = 3, multiLabel = false, scale = 1 }: StripeDataOptions,
  seed: number,
): StripeChip[] {
  return Array.from({ length: count }, (_, n) => {
    const rng = createRng([seed, n]);
    const own = multiLabel ? Array.from({ length: classes }, (_k, k) => k).filter(() => rng.next() < 0.4) : [n % classes];
    const image = new Float32Array(width * height * bands);
    for (let p = 0; p < width * height; p++) {
      const stripe = Math.floor(((p % width) * classes) / width);
      const level = own.includes(stripe) ? 160 : 80;
      for (let b = 0; b < bands; b++) image[p * bands + b] = scale * Math.round(level + 20 * rng.normal());
    }
    return { name: `chip${seed}-${n}`, image, classes: own };
  });
}
