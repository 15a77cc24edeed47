/** One side of the split, read batch by batch. Batch `index` of `epoch` depends on the seed alone, never on what was read before. */

import { checkOptions, createRng, type OptionRules, rules } from "@geolearn/core";

import type { ResolvedAugmentation } from "../augment/options.ts";
import { drawRecipe, plainRecipe, type Recipe, type RecipeSizes } from "../augment/recipe.ts";
import type { ChipCache } from "../chips/chip-cache.ts";
import type { ChipImage } from "../chips/chip.ts";
import type { BatchesOptions, BatchFrame, ChipSet } from "../learning-data.ts";
import type { Assembler } from "./assembler.ts";

/** What a chip set is made of. */
export interface ChipSetSetup<C extends ChipImage, A extends object> extends OrderSetup {
  readonly cache: ChipCache<C>;
  readonly assembler: Assembler<C, A>;
  /** Batches read ahead. */
  readonly prefetch: number;
}

/** What decides which chips a batch holds and what happens to them. */
interface OrderSetup {
  readonly side: "train" | "valid";
  /** Positions of the chips in the source, ordered by name. */
  readonly members: readonly number[];
  readonly batchSize: number;
  readonly seed: number;
  readonly sizes: RecipeSizes;
  /** Null leaves chips as they are and in order (validation). */
  readonly augment: ResolvedAugmentation | null;
}

/** Streams of the random generator, so that order and augmentation do not share draws. */
const ORDER_STREAM = 1;
const RECIPE_STREAM = 2;

const POSITION = rules.hinted(rules.whole(0), "Epochs and batches are counted from 0.");
const READ_RULES: OptionRules<BatchesOptions> = { epoch: POSITION, from: POSITION, signal: rules.work.signal };

/** The chip set of one side. */
export function createChipSet<C extends ChipImage, A extends object>(setup: ChipSetSetup<C, A>): ChipSet<A & BatchFrame> {
  const { cache, members, batchSize, side } = setup;
  const names = members.map((member) => cache.source.chips[member]!.name);
  const count = members.length;
  const batches = side === "train" ? Math.max(Math.floor(count / batchSize), Math.min(count, 1)) : Math.ceil(count / batchSize);

  async function readBatch(plan: BatchPlan, signal: AbortSignal | undefined): Promise<A & BatchFrame> {
    const chips = await Promise.all(plan.members.map((member) => cache.get(member, signal)));
    const arrays = await setup.assembler.run(chips, plan.recipes, signal);
    const real = plan.members.length;
    return { ...arrays, size: batchSize, real, names: plan.members.map((member) => cache.source.chips[member]!.name) };
  }

  async function* read(options: BatchesOptions = {}): AsyncGenerator<A & BatchFrame> {
    checkOptions(options, READ_RULES, "read()");
    const { epoch = 0, from = 0, signal } = options;
    const ahead: Promise<A & BatchFrame>[] = [];
    const order = epochOrder(setup, epoch);
    let next = from;
    const fill = (): void => {
      while (next < batches && ahead.length < setup.prefetch) {
        const reading = readBatch(planBatch(setup, order, epoch, next++), signal);
        // a failure is reported when its turn comes; until then it must not count as unhandled
        reading.catch(() => undefined);
        ahead.push(reading);
      }
    };
    fill();
    while (ahead.length > 0) {
      signal?.throwIfAborted();
      const batch = await ahead.shift()!;
      fill();
      yield batch;
    }
  }

  return { count, batches, names, read };
}

interface BatchPlan {
  readonly members: readonly number[];
  readonly recipes: readonly Recipe[];
}

/** Positions in `members`, shuffled for training; repeated from the front when there are fewer chips than a batch holds. */
function epochOrder({ side, members, seed, batchSize }: OrderSetup, epoch: number): Uint32Array {
  const count = members.length;
  if (side === "valid") return Uint32Array.from({ length: count }, (_, i) => i);
  const permutation = createRng([seed, ORDER_STREAM, epoch]).permutation(count);
  if (count === 0 || count >= batchSize) return permutation;
  return Uint32Array.from({ length: batchSize }, (_, i) => permutation[i % count]!);
}

function planBatch(setup: OrderSetup, order: Uint32Array, epoch: number, batch: number): BatchPlan {
  const { batchSize, augment, sizes, seed } = setup;
  const first = batch * batchSize;
  const slots = Array.from(order.subarray(first, Math.min(first + batchSize, order.length)));
  const recipes = slots.map((_, i) =>
    augment === null ? plainRecipe(sizes) : drawRecipe(createRng([seed, RECIPE_STREAM, epoch, first + i]), augment, sizes),
  );
  return { members: slots.map((slot) => setup.members[slot]!), recipes };
}
