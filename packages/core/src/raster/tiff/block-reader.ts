/** Reads windows of one TIFF image: finds the blocks, fetches neighbouring ones together, decodes each once. */

import { decodeBlocks, decodeThreads } from "#decode-pool";

import type { Window } from "../../window.ts";
import { type BlockCache, createBlockCache } from "../block-cache.ts";
import { createSamples, sampleBytes } from "../samples.ts";
import { readFailure } from "../read-failure.ts";
import { untilAborted } from "../until-aborted.ts";
import type { Samples } from "../raster.ts";
import type { TiffFile } from "./directories.ts";
import { type TiffImage, readBlockTable } from "./image.ts";

/** Bytes fetched in one request, and samples decoded in one, at most. */
const FETCH_BYTES = 4 * 1024 * 1024;
const DECODE_BYTES = 1024 * 1024;

/** Blocks that lie together in the file. */
interface Group {
  readonly indices: number[];
  start: number;
  end: number;
}

/** Options of a {@link BlockReader}. */
export interface BlockReaderOptions {
  /** Milliseconds to decode one request. */
  readonly deadline: number;
  /** Value of samples in blocks the file leaves out. */
  readonly fill: number;
}

/** Reads windows of one image. */
export class BlockReader {
  readonly image: TiffImage;
  readonly #file: TiffFile;
  readonly #options: BlockReaderOptions;
  readonly #cache: BlockCache;
  readonly #pending = new Map<number, Promise<Samples>>();
  #table: Promise<{ offsets: Float64Array; lengths: Float64Array }> | null = null;

  constructor(file: TiffFile, image: TiffImage, options: BlockReaderOptions) {
    this.#file = file;
    this.image = image;
    this.#options = options;
    // windows read row by row meet two rows of blocks
    const rowBytes = image.blocksAcross * image.blockWidth * image.blockHeight * image.bands * sampleBytes(image.sampleType);
    this.#cache = createBlockCache(2.2 * rowBytes);
  }

  /** Samples of a window inside the image, `[bands.length, height, width]`. */
  async read(window: Window, bands: readonly number[], signal?: AbortSignal): Promise<Samples> {
    const { image } = this;
    const out = createSamples(image.sampleType, bands.length * window.width * window.height);
    const wanted = this.#blocksOf(window, bands);
    const missing: number[] = [];
    for (const index of wanted) {
      const samples = this.#cache.get(index);
      if (samples === undefined) missing.push(index);
      else this.#copy(index, samples, window, bands, out);
    }
    if (missing.length > 0) await this.#readMissing(missing, (index, samples) => this.#copy(index, samples, window, bands, out), signal);
    return out;
  }

  close(): void {
    this.#cache.clear();
  }

  #blocksOf({ col, row, width, height }: Window, bands: readonly number[]): number[] {
    const { blockWidth, blockHeight, blocksAcross, blocksDown, separate } = this.image;
    const planes = separate ? bands : [0];
    const indices: number[] = [];
    for (const plane of planes) {
      for (let y = Math.floor(row / blockHeight); y * blockHeight < row + height; y++) {
        for (let x = Math.floor(col / blockWidth); x * blockWidth < col + width; x++) {
          indices.push((plane * blocksDown + y) * blocksAcross + x);
        }
      }
    }
    return indices;
  }

  async #readMissing(missing: readonly number[], use: (index: number, samples: Samples) => void, signal?: AbortSignal): Promise<void> {
    this.#table ??= readBlockTable(this.#file, this.image);
    const { offsets, lengths } = await this.#table;
    const absent: number[] = [];
    const shared: number[] = [];
    const own: number[] = [];
    for (const index of missing) {
      if (this.#pending.has(index)) shared.push(index);
      else if (lengths[index] === 0) absent.push(index);
      else own.push(index);
    }
    for (const index of absent) use(index, this.#absentBlock(index));
    const waiting = shared.map(async (index) => use(index, await untilAborted(this.#pending.get(index)!, signal)));
    const groups = this.#groups(own, offsets, lengths);
    let next = 0;
    const run = async (): Promise<void> => {
      while (next < groups.length) {
        signal?.throwIfAborted();
        const group = groups[next++]!;
        const samples = await untilAborted(this.#load(group, offsets, lengths), signal);
        group.indices.forEach((index, i) => use(index, samples[i]!));
      }
    };
    // one group is fetched while each thread decodes another
    await Promise.all([...waiting, ...Array.from({ length: Math.min(groups.length, decodeThreads() + 1) }, run)]);
    signal?.throwIfAborted();
  }

  /** Neighbouring blocks, fetched and decoded together as long as neither becomes large. */
  #groups(indices: readonly number[], offsets: Float64Array, lengths: Float64Array): Group[] {
    const { block, sampleType } = this.image;
    const decodedBytes = block.width * block.height * block.samples * sampleBytes(sampleType);
    const most = Math.max(1, Math.floor(DECODE_BYTES / decodedBytes));
    const { gap } = this.#file.source;
    const groups: Group[] = [];
    let group: Group | undefined;
    for (const index of [...indices].sort((a, b) => offsets[a]! - offsets[b]!)) {
      const start = offsets[index]!;
      const end = start + lengths[index]!;
      const joins = group !== undefined && group.indices.length < most && start <= group.end + gap && end - group.start <= FETCH_BYTES;
      if (joins) {
        group!.indices.push(index);
        group!.end = Math.max(group!.end, end);
        continue;
      }
      group = { indices: [index], start, end };
      groups.push(group);
    }
    return groups;
  }

  /** Loads a group once, whoever asks; an aborted reader leaves it to finish for the others. */
  #load(group: Group, offsets: Float64Array, lengths: Float64Array): Promise<readonly Samples[]> {
    const all = this.#fetch(group, offsets, lengths);
    group.indices.forEach((index, i) => {
      const one = all.then((samples) => samples[i]!);
      this.#pending.set(index, one);
      const done = (): void => void this.#pending.delete(index);
      one.then(
        (samples) => {
          done();
          this.#cache.set(index, samples);
        },
        () => done(),
      );
    });
    return all;
  }

  async #fetch(group: Group, offsets: Float64Array, lengths: Float64Array): Promise<readonly Samples[]> {
    const { source } = this.#file;
    try {
      const bytes = await source.read(group.start, group.end - group.start);
      const blocks = group.indices.map((index) => {
        const from = offsets[index]! - group.start;
        return { bytes: bytes.subarray(from, from + lengths[index]!), rows: this.#rowsOf(index) };
      });
      return await decodeBlocks({ spec: this.image.block, blocks }, this.#options);
    } catch (error) {
      throw readFailure(error, source.name, group.indices);
    }
  }

  #rowsOf(index: number): number {
    const { tiled, blockHeight, blocksAcross, blocksDown, height } = this.image;
    if (tiled) return blockHeight;
    const y = Math.floor(index / blocksAcross) % blocksDown;
    return Math.min(blockHeight, height - y * blockHeight);
  }

  #absentBlock(index: number): Samples {
    const { block } = this.image;
    const samples = createSamples(this.image.sampleType, block.width * this.#rowsOf(index) * block.samples);
    return this.#options.fill === 0 ? samples : (samples.fill(this.#options.fill) as Samples);
  }

  /** Copies the part of a block that the window shows. */
  #copy(index: number, samples: Samples, window: Window, bands: readonly number[], out: Samples): void {
    const { blockWidth, blockHeight, blocksAcross, blocksDown, separate } = this.image;
    const x = (index % blocksAcross) * blockWidth;
    const y = (Math.floor(index / blocksAcross) % blocksDown) * blockHeight;
    const plane = Math.floor(index / (blocksAcross * blocksDown));
    const rows = this.#rowsOf(index);
    const left = Math.max(x, window.col);
    const right = Math.min(x + blockWidth, window.col + window.width);
    const top = Math.max(y, window.row);
    const bottom = Math.min(y + rows, window.row + window.height);
    for (let i = 0; i < bands.length; i++) {
      const band = bands[i]!;
      if (separate && band !== plane) continue;
      const bandStart = separate ? 0 : band * rows;
      for (let row = top; row < bottom; row++) {
        const from = (bandStart + row - y) * blockWidth + left - x;
        const to = (i * window.height + row - window.row) * window.width + left - window.col;
        out.set(samples.subarray(from, from + right - left), to);
      }
    }
  }
}
