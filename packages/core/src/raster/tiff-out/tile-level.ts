/** One resolution of a COG being written: rows in, deflated tiles out, in row-major order. */

import { promisify } from "node:util";
import zlib from "node:zlib";

import type { SampleType, Samples } from "../raster.ts";
import { type Predictor, applyPredictor } from "./predictor.ts";
import { createSamples } from "../samples.ts";
import type { Spool } from "./spool.ts";

const deflate = promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zlib.deflate);

/** How tiles are made. */
export interface TileFormat {
  readonly bands: number;
  readonly sampleType: SampleType;
  readonly blockSize: number;
  readonly compression: "deflate" | "none";
  /** Deflate level. */
  readonly level: number;
  readonly predictor: Predictor;
}

/** Lets at most `limit` tiles wait for the compressor, so that memory stays bounded. */
export class Gate {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(limit: number) {
    this.#free = limit;
  }

  async enter(): Promise<void> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }
}

/** Tiles of one resolution. */
export class TileLevel {
  readonly width: number;
  readonly height: number;
  /** Side of its tiles in pixels. */
  readonly blockSize: number;
  readonly tilesAcross: number;
  readonly tilesDown: number;
  /** Position of each tile in the spool, behind its size, and its bytes. */
  readonly offsets: Float64Array;
  readonly byteCounts: Uint32Array;
  readonly spool: Spool;
  readonly #format: TileFormat;
  readonly #gate: Gate;
  readonly #spare: Samples[] = [];
  #tiles: Samples[] = [];
  #rowInTile = 0;
  #emitted = 0;
  /** The end of the chain that puts tiles into the spool in their order; never rejects. */
  #tail: Promise<void> = Promise.resolve();
  #failure: { readonly error: unknown } | null = null;

  constructor(width: number, height: number, format: TileFormat, gate: Gate, spool: Spool) {
    this.width = width;
    this.height = height;
    this.blockSize = format.blockSize;
    this.#format = format;
    this.#gate = gate;
    this.spool = spool;
    this.tilesAcross = Math.ceil(width / format.blockSize);
    this.tilesDown = Math.ceil(height / format.blockSize);
    this.offsets = new Float64Array(this.tilesAcross * this.tilesDown);
    this.byteCounts = new Uint32Array(this.tilesAcross * this.tilesDown);
  }

  /** Takes rows `[bands, rows, width]`; `data` is not kept. */
  async push(data: Samples, rows: number): Promise<void> {
    const { blockSize } = this.#format;
    for (let row = 0; row < rows;) {
      if (this.#tiles.length === 0) for (let t = 0; t < this.tilesAcross; t++) this.#tiles.push(this.#blankTile());
      const count = Math.min(rows - row, blockSize - this.#rowInTile);
      this.#place(data, rows, row, count);
      row += count;
      this.#rowInTile += count;
      if (this.#rowInTile === blockSize) await this.#emitTiles();
    }
  }

  /** Waits until every tile is in the spool. */
  async finish(): Promise<void> {
    if (this.#tiles.length > 0) await this.#emitTiles();
    await this.#tail;
    if (this.#failure !== null) throw this.#failure.error;
  }

  /** Waits until nothing is on its way any more, whether it went well or not. */
  async settle(): Promise<void> {
    await this.#tail;
  }

  #blankTile(): Samples {
    const { blockSize, bands, sampleType } = this.#format;
    const tile = this.#spare.pop();
    tile?.fill(0);
    return tile ?? createSamples(sampleType, blockSize * blockSize * bands);
  }

  /** Copies rows into the open tiles, bands interleaved by pixel. */
  #place(data: Samples, rows: number, row: number, count: number): void {
    const { blockSize, bands } = this.#format;
    for (let t = 0; t < this.tilesAcross; t++) {
      const tile = this.#tiles[t]!;
      const col = t * blockSize;
      const columns = Math.min(blockSize, this.width - col);
      for (let band = 0; band < bands; band++) {
        for (let r = 0; r < count; r++) {
          const from = (band * rows + row + r) * this.width + col;
          const to = (this.#rowInTile + r) * blockSize * bands + band;
          if (bands === 1) tile.set(data.subarray(from, from + columns), to);
          else for (let c = 0, at = to; c < columns; c++, at += bands) tile[at] = data[from + c]!;
        }
      }
    }
  }

  async #emitTiles(): Promise<void> {
    const tiles = this.#tiles;
    this.#tiles = [];
    this.#rowInTile = 0;
    for (const tile of tiles) {
      await this.#gate.enter();
      if (this.#failure !== null) {
        this.#gate.leave();
        throw this.#failure.error;
      }
      const index = this.#emitted++;
      const packed = this.#pack(tile);
      // A failure is kept for the next call; the chain itself goes on so that every place at the gate is given back.
      packed.catch(() => undefined);
      this.#tail = this.#tail.then(async () => {
        try {
          const bytes = await packed;
          if (this.#failure === null) await this.#store(index, bytes);
          if (bytes.buffer !== tile.buffer) this.#spare.push(tile);
        } catch (error) {
          this.#failure ??= { error };
        } finally {
          this.#gate.leave();
        }
      });
    }
  }

  async #pack(tile: Samples): Promise<Uint8Array> {
    const { blockSize, bands, sampleType, compression, level, predictor } = this.#format;
    if (compression === "none") return new Uint8Array(tile.buffer, tile.byteOffset, tile.byteLength);
    applyPredictor(predictor, tile, blockSize, bands, sampleType);
    const bytes = new Uint8Array(tile.buffer, tile.byteOffset, tile.byteLength);
    return deflate(bytes, { level, chunkSize: Math.max(1024, bytes.length >> 1) });
  }

  /** Size, data, and the last four bytes again: what GDAL's readers of optimised COGs expect around a block. */
  async #store(index: number, bytes: Uint8Array): Promise<void> {
    const leader = Buffer.alloc(4);
    leader.writeUInt32LE(bytes.byteLength);
    this.offsets[index] = this.spool.size + 4;
    this.byteCounts[index] = bytes.byteLength;
    await this.spool.append(leader, bytes, bytes.slice(-4));
  }
}
