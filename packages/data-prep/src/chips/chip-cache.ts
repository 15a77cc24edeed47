/** Decoded chips held in memory up to a bound; the least recently used leave first. */

import { freemem } from "node:os";

import { type Chip, type ChipImage, type ChipSource, chipBytes } from "./chip.ts";

/** Reads chips of a source through a bounded memory. */
export class ChipCache<C extends ChipImage = Chip> {
  readonly source: ChipSource<C>;
  readonly limit: number;
  readonly #held = new Map<number, C>();
  readonly #pending = new Map<number, Promise<C>>();
  #bytes = 0;

  /** @param limit bytes of decoded chips at most; 0 keeps none */
  constructor(source: ChipSource<C>, limit: number = defaultCacheBytes()) {
    this.source = source;
    this.limit = limit;
  }

  /** The chip, from memory or from its source. Two calls at once share one read. */
  async get(index: number, signal?: AbortSignal): Promise<C> {
    const held = this.#held.get(index);
    if (held !== undefined) {
      this.#held.delete(index);
      this.#held.set(index, held);
      return held;
    }
    const pending = this.#pending.get(index);
    if (pending !== undefined) return pending;
    const reading = this.source.read(index, signal).finally(() => this.#pending.delete(index));
    this.#pending.set(index, reading);
    const chip = await reading;
    this.#keep(index, chip);
    return chip;
  }

  #keep(index: number, chip: C): void {
    const bytes = chipBytes(chip);
    if (bytes > this.limit || this.#held.has(index)) return;
    this.#held.set(index, chip);
    this.#bytes += bytes;
    for (const [oldest, old] of this.#held) {
      if (this.#bytes <= this.limit) break;
      this.#held.delete(oldest);
      this.#bytes -= chipBytes(old);
    }
  }

  /** Forgets every chip. */
  clear(): void {
    this.#held.clear();
    this.#bytes = 0;
  }
}

/** A quarter of the memory that is free now, between 64 MiB and 2 GiB. */
export function defaultCacheBytes(): number {
  return Math.min(2 ** 31, Math.max(2 ** 26, freemem() / 4));
}
