/** Chips with objects held in memory, for tests: the contract of `prepareData` without files. */

import { createRng, encodePng, renderBands } from "@geolearn/core";
import { type BatchesOptions, type ChipSet, type ObjectBatch, type ObjectData, type ObjectTask } from "@geolearn/data-prep";

/** Options of {@link squareData}. */
export interface SquareDataOptions {
  readonly side?: number;
  readonly train?: number;
  readonly valid?: number;
  readonly batchSize?: number;
  readonly bands?: number;
  readonly seed?: number;
}

interface SquareChip {
  readonly image: Float32Array;
  readonly boxes: number[][];
  readonly labels: number[];
  /** `[objects, side, side]` */
  readonly masks: Uint8Array;
}

/** Whether a point of a shape's box, -1 to 1 along both sides, belongs to it. */
type Inside = (x: number, y: number) => boolean;

/** Bright and dark squares on grain, none to three a chip; bright ones are class 0, dark ones class 1. */
export function squareData(options: SquareDataOptions = {}): ObjectData<"objectDetection"> {
  return shapeData("objectDetection", [() => true, () => true], options);
}

/** Bright disks (class 0) and dark corners, squares without a quarter (class 1), on grain, with their masks. */
export function diskData(options: SquareDataOptions = {}): ObjectData<"instanceSegmentation"> {
  return shapeData("instanceSegmentation", [(x, y) => x * x + y * y <= 1, (x, y) => x < 0 || y < 0], options);
}

function shapeData<T extends ObjectTask>(
  task: T,
  shapes: readonly Inside[],
  { side = 64, train = 24, valid = 8, batchSize = 4, bands = 3, seed = 1 }: SquareDataOptions,
): ObjectData<T> {
  const rng = createRng(seed);
  const chips = Array.from({ length: train + valid }, () => makeChip(side, bands, rng, shapes));
  const set = (members: readonly SquareChip[], name: string, whole: boolean): ChipSet<ObjectBatch> => ({
    count: members.length,
    batches: whole ? Math.floor(members.length / batchSize) : Math.ceil(members.length / batchSize),
    names: members.map((_, i) => `${name} ${i}`),
    async *read({ epoch = 0, from = 0 }: BatchesOptions = {}) {
      const order = whole ? shuffled(members.length, seed, epoch) : members.map((_, i) => i);
      for (let batch = from; batch < this.batches; batch++)
        yield batchOf(order.slice(batch * batchSize, (batch + 1) * batchSize), members, name);
    },
  });
  const batchOf = (order: readonly number[], members: readonly SquareChip[], name: string): ObjectBatch => {
    const maxObjects = 8;
    const images = new Float32Array(batchSize * side * side * bands);
    const boxes = new Float32Array(batchSize * maxObjects * 4);
    const classIndices = new Int32Array(batchSize * maxObjects).fill(-1);
    const counts = new Int32Array(batchSize);
    const masks = new Uint8Array(batchSize * maxObjects * side * side);
    for (const [slot, i] of order.entries()) {
      const chip = members[i]!;
      images.set(chip.image, slot * chip.image.length);
      boxes.set(chip.boxes.flat(), slot * maxObjects * 4);
      classIndices.set(chip.labels, slot * maxObjects);
      masks.set(chip.masks, slot * maxObjects * side * side);
      counts[slot] = chip.labels.length;
    }
    return {
      images,
      boxes,
      classIndices,
      ...(task === "instanceSegmentation" ? { masks } : {}),
      counts,
      maxObjects,
      size: batchSize,
      real: order.length,
      names: order.map((i) => `${name} ${i}`),
    };
  };
  const classes = [
    { value: 1, name: "bright", color: [255, 200, 0] as const },
    { value: 2, name: "dark", color: [0, 120, 255] as const },
  ];
  const list = <T>(value: T): T[] => Array.from({ length: bands }, () => value);
  return {
    ...{ task, classes, ignoredClasses: [], chipWidth: side, chipHeight: side, batchSize, bands, seed },
    bandNames: list(0).map((_, b) => `band ${b + 1}`),
    bandIndices: list(0).map((_, b) => b),
    sourceBands: bands,
    sampleType: "uint8",
    statistics: list({ min: 0, max: 255, mean: 110, std: 45, count: 1 }),
    resolution: 0.5,
    cachedBytes: 0,
    train: set(chips.slice(0, train), "train", true),
    valid: set(chips.slice(train), "valid", false),
    classObjects: [0, 1].map((label) =>
      chips.slice(0, train).reduce((sum, { labels }) => sum + labels.filter((l) => l === label).length, 0),
    ),
    mostObjects: 3,
    showBatch: () => Promise.resolve(encodePng(renderBands({ data: chips[0]!.image, bands, width: side, height: side, layout: "pixels" }))),
    close: () => Promise.resolve(),
  };
}

function shuffled(count: number, seed: number, epoch: number): number[] {
  const rng = createRng([seed, epoch]);
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = rng.int(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

function makeChip(side: number, bands: number, rng: ReturnType<typeof createRng>, shapes: readonly Inside[]): SquareChip {
  const image = Float32Array.from({ length: side * side * bands }, () => 110 + 12 * rng.normal());
  const [boxes, labels]: [number[][], number[]] = [[], []];
  const masks: Uint8Array[] = [];
  for (let k = rng.int(4); k > 0; k--) {
    const size = 14 + rng.int(14);
    const [x, y] = [rng.int(side - size), rng.int(side - size)];
    if (boxes.some(([x0, y0, x1, y1]) => x < x1! && x + size > x0! && y < y1! && y + size > y0!)) continue;
    const label = rng.int(2);
    const mask = new Uint8Array(side * side);
    const middle = (at: number): number => (2 * (at + 0.5)) / size - 1;
    for (let row = y; row < y + size; row++)
      for (let col = x; col < x + size; col++) {
        if (!shapes[label]!(middle(col - x), middle(row - y))) continue;
        mask[row * side + col] = 1;
        for (let b = 0; b < bands; b++) image[(row * side + col) * bands + b]! += label === 0 ? 90 : -80;
      }
    masks.push(mask);
    boxes.push([x, y, x + size, y + size]);
    labels.push(label);
  }
  const all = new Uint8Array(masks.length * side * side);
  for (const [k, mask] of masks.entries()) all.set(mask, k * side * side);
  return { image, boxes, labels, masks: all };
}
