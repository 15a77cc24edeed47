/**
 * Spatial blocks: the ground is cut into squares, whole squares go to validation, and training chips that reach into one
 * are left out. Overlapping chips therefore never stand on both sides, and validation tells how a network does on land it
 * has not seen (Roberts et al. 2017, doi:10.1111/ecog.02881).
 */

import { type Bounds, createRng, GeoLearnError, type Rng } from "@geolearn/core";

import { FootprintIndex } from "./overlap.ts";
import { validCount } from "./random-split.ts";
import type { Split, SplitInput } from "./split.ts";

/** Seeded proposals of which the best is taken. */
const PROPOSALS = 96;

interface Proposal {
  readonly valid: readonly number[];
  readonly dropped: readonly number[];
  readonly cost: number;
}

/**
 * A split by blocks. Of 96 seeded proposals (size and origin of the squares, which squares) the best is taken: close to the
 * wanted share, few chips lost at the borders, classes on the validation side as in the whole.
 *
 * @throws SPLIT_IMPOSSIBLE when chips have no position, or when every choice empties a side
 */
export function blockSplit(input: SplitInput): Split {
  const { names, footprints, valSplit, seed } = input;
  const all = names.map((_, i) => i);
  if (valSplit === 0) return { method: "blocks", train: all, valid: [], dropped: [] };
  const wanted = validCount(names.length, valSplit);
  if (footprints === null) {
    throw new GeoLearnError("SPLIT_IMPOSSIBLE", "The chips have no position on the ground, so they cannot be split by blocks.", {
      hint: 'Use `split: "random"` if no two chips show the same ground, or name the validation chips in a file, `split: "validation.txt"`.',
    });
  }
  const context = createContext(input, footprints, wanted);
  const rng = createRng([seed, 4]);
  let best: Proposal | null = null;
  for (let i = 0; i < PROPOSALS; i++) {
    const proposal = propose(context, rng);
    if (proposal !== null && (best === null || proposal.cost < best.cost)) best = proposal;
  }
  if (best === null) {
    throw new GeoLearnError(
      "SPLIT_IMPOSSIBLE",
      `The ${names.length} chips overlap so much that no block of ground can be kept for validation.`,
      {
        hint: 'Export with a larger stride or smaller chips, cover more ground, or name the validation chips in a file, `split: "validation.txt"`.',
        data: { chips: names.length, valSplit },
      },
    );
  }
  const taken = new Set([...best.valid, ...best.dropped]);
  return { method: "blocks", train: all.filter((i) => !taken.has(i)), valid: best.valid, dropped: best.dropped };
}

interface Context {
  readonly footprints: readonly Bounds[];
  readonly centres: readonly (readonly [x: number, y: number])[];
  readonly origin: readonly [x: number, y: number];
  /** Side of a square that holds one validation share of the covered ground. */
  readonly side: number;
  readonly wanted: number;
  readonly classPixels: readonly Float64Array[];
  readonly classShare: Float64Array;
  readonly neighbours: (chip: number) => readonly number[];
}

function createContext(input: SplitInput, footprints: readonly Bounds[], wanted: number): Context {
  const centres = footprints.map(([x0, y0, x1, y1]) => [(x0 + x1) / 2, (y0 + y1) / 2] as const);
  const index = new FootprintIndex(
    footprints,
    footprints.map((_, i) => i),
  );
  const cached: (readonly number[] | undefined)[] = [];
  const neighbours = (chip: number): readonly number[] => (cached[chip] ??= index.overlapping(footprints[chip]!));
  const area = coveredArea(footprints);
  return {
    footprints,
    centres,
    origin: [Math.min(...footprints.map(([x]) => x)), Math.min(...footprints.map(([, y]) => y))],
    side: Math.sqrt(area * input.valSplit),
    wanted,
    classPixels: input.classPixels,
    classShare: shareOf(
      input.classPixels,
      footprints.map((_, i) => i),
    ),
    neighbours,
  };
}

/** Ground covered by at least one chip, counted in cells of half a chip. */
function coveredArea(footprints: readonly Bounds[]): number {
  const [x0, y0, x1, y1] = footprints[0]!;
  const cellX = (x1 - x0) / 2;
  const cellY = (y1 - y0) / 2;
  const cells = new Set<string>();
  for (const [a0, b0, a1, b1] of footprints) {
    for (let x = a0 + cellX / 2; x < a1; x += cellX) {
      for (let y = b0 + cellY / 2; y < b1; y += cellY) cells.add(`${Math.floor(x / cellX)},${Math.floor(y / cellY)}`);
    }
  }
  return cells.size * cellX * cellY;
}

/** One choice of squares, or null when it leaves a side empty. */
function propose(context: Context, rng: Rng): Proposal | null {
  const { centres, origin, wanted, footprints } = context;
  // one to four squares hold the validation share
  const side = context.side / Math.sqrt(1 + rng.next() * 3);
  const shiftX = rng.next() * side;
  const shiftY = rng.next() * side;
  const blocks = new Map<string, number[]>();
  centres.forEach(([x, y], chip) => {
    const key = `${Math.floor((x - origin[0] + shiftX) / side)},${Math.floor((y - origin[1] + shiftY) / side)}`;
    const block = blocks.get(key);
    if (block === undefined) blocks.set(key, [chip]);
    else block.push(chip);
  });
  const keys = [...blocks.keys()].sort();
  const order = rng.permutation(keys.length);
  const valid: number[] = [];
  for (const position of order) {
    const block = blocks.get(keys[position]!)!;
    if (Math.abs(valid.length + block.length - wanted) >= Math.abs(valid.length - wanted)) continue;
    for (const chip of block) valid.push(chip);
  }
  if (valid.length === 0 || valid.length === footprints.length) return null;
  valid.sort((a, b) => a - b);
  const isValid = new Set(valid);
  const lost = new Set<number>();
  for (const chip of valid) for (const other of context.neighbours(chip)) if (!isValid.has(other)) lost.add(other);
  const left = footprints.length - valid.length - lost.size;
  if (left === 0) return null;
  return { valid, dropped: [...lost].sort((a, b) => a - b), cost: costOf(context, valid, lost.size) };
}

function costOf({ wanted, footprints, classPixels, classShare }: Context, valid: readonly number[], lost: number): number {
  const miss = Math.abs(valid.length - wanted) / wanted;
  const loss = lost / footprints.length;
  const share = shareOf(classPixels, valid);
  let skew = 0;
  let absent = 0;
  for (let c = 0; c < share.length; c++) {
    skew += Math.abs(share[c]! - classShare[c]!);
    if (classShare[c]! > 0 && share[c] === 0) absent++;
  }
  return miss + 2 * loss + skew / 2 + absent;
}

/** Share of each class in the labelled pixels of some chips. */
function shareOf(classPixels: readonly Float64Array[], chips: readonly number[]): Float64Array {
  const sum = new Float64Array(classPixels[0]?.length ?? 0);
  let total = 0;
  for (const chip of chips) {
    const counts = classPixels[chip]!;
    for (let c = 0; c < sum.length; c++) {
      sum[c]! += counts[c]!;
      total += counts[c]!;
    }
  }
  return total === 0 ? sum : sum.map((value) => value / total);
}
