/**
 * Writes Cloud-Optimized GeoTIFFs row by row in bounded memory. Layout, as GDAL's COG driver makes it: signature, a
 * note on the structure, all directories, the smallest reduced copy, ..., the full image; tiles in row-major order,
 * bands interleaved by pixel, each tile between its size and a copy of its last four bytes.
 *
 * GDAL's note and block framing: https://gdal.org/en/stable/drivers/raster/cog.html#file-format-details
 */

import { type AtomicFile, openAtomic } from "../files/atomic.ts";
import { GeoLearnError } from "../errors.ts";
import type { Samples } from "./raster.ts";
import { BandTally } from "./tiff-out/band-tally.ts";
import { type Tag, directoriesSize, encodeDirectories, encodeSignature } from "./tiff-out/directory.ts";
import type { Predictor } from "./tiff-out/predictor.ts";
import { checkProfile, imageTags, sampleTags } from "./tiff-out/profile-tags.ts";
import { type Reduction, RowReducer } from "./tiff-out/reduce.ts";
import { holdsSamples, sampleBytes } from "./samples.ts";
import { Spool } from "./tiff-out/spool.ts";
import { Gate, type TileFormat, TileLevel } from "./tiff-out/tile-level.ts";
import type { RasterProfile, RasterWriter } from "./write.ts";

/** What GDAL reads before the directories to know that it may read blocks without looking them up. */
const STRUCTURE = [
  "LAYOUT=IFDS_BEFORE_DATA",
  "BLOCK_ORDER=ROW_MAJOR",
  "BLOCK_LEADER=SIZE_AS_UINT4",
  "BLOCK_TRAILER=LAST_4_BYTES_REPEATED",
  "KNOWN_INCOMPATIBLE_EDITION=NO\n ",
].join("\n");
/** Files beyond this need the 64-bit offsets of BigTIFF; classic ones end at 4 GiB. */
const CLASSIC_LIMIT = 3.9e9;
/** Tiles of one resolution stay in memory up to this size, then go to a scratch file. */
const SPOOL_MEMORY = 8 * 1024 * 1024;
/** Uncompressed bytes that may wait for the compressor. */
const IN_FLIGHT_BYTES = 32 * 1024 * 1024;

/**
 * A writer of a new COG at `path`. Rows come from top to bottom; the file appears at `close()`, whole or not at all.
 *
 * Integers are deflated with predictor 2, floats with predictor 3, class rasters (with a colour table or class names)
 * with none. Statistics of each band over valid pixels go into GDAL's metadata. The same rows give the same bytes.
 *
 * Memory: one row of tiles per resolution, about `2 * width * blockSize * bands * bytes`, and 32 MiB of tiles in work.
 *
 * @throws INVALID_ARGUMENT, CRS_UNKNOWN for a profile that no GeoTIFF can hold; DISK_FULL, WRITE_FAILED
 * @example
 * const writer = await createRaster("classes.tif", { width, height, bands: 1, sampleType: "uint8", transform, crs, nodata: 255 });
 * for (const rows of strips) await writer.appendRows(rows.data, rows.height);
 * await writer.close();
 */
export async function createRaster(path: string, profile: RasterProfile): Promise<RasterWriter> {
  return createCog(path, profile, CLASSIC_LIMIT);
}

/** {@link createRaster} with the size beyond which a file becomes BigTIFF, so that a test need not write gigabytes. */
export async function createCog(path: string, profile: RasterProfile, classicLimit: number): Promise<RasterWriter> {
  checkProfile(profile, profile.width, profile.height);
  const { blockSize = 512, level = 6 } = profile;
  if (!Number.isInteger(blockSize) || blockSize < 16 || blockSize % 16 !== 0 || blockSize > 8192) {
    throw new GeoLearnError("INVALID_ARGUMENT", `\`blockSize: ${blockSize}\` is no tile size of a TIFF.`, {
      hint: "Use a multiple of 16 from 16 to 8192.",
    });
  }
  if (!Number.isInteger(level) || level < 1 || level > 9) {
    throw new GeoLearnError("INVALID_ARGUMENT", `Deflate has no level ${level}.`, { hint: "Use 1 (fast) to 9 (small)." });
  }
  // Before anything is computed: a system that cannot be written, or a folder that cannot be written to, shows now.
  imageTags(profile, [], 1);
  const file = await openAtomic(path);
  return new CogWriter(file, profile, blockSize, level, classicLimit);
}

class CogWriter implements RasterWriter {
  readonly #file: AtomicFile;
  readonly #profile: RasterProfile;
  readonly #classicLimit: number;
  readonly #predictor: Predictor;
  readonly #levels: TileLevel[] = [];
  readonly #reducers: RowReducer[] = [];
  readonly #tallies: BandTally[];
  #rows = 0;
  #state: "open" | "closing" | "done" = "open";
  #busy = false;

  constructor(file: AtomicFile, profile: RasterProfile, blockSize: number, level: number, classicLimit: number) {
    this.#file = file;
    this.#profile = profile;
    this.#classicLimit = classicLimit;
    const { bands, sampleType, compression = "deflate", nodata = null } = profile;
    this.#predictor = choosePredictor(profile);
    const format: TileFormat = { bands, sampleType, blockSize, compression, level, predictor: this.#predictor };
    const gate = new Gate(Math.max(2, Math.floor(IN_FLIGHT_BYTES / (blockSize * blockSize * bands * sampleBytes(sampleType)))));
    const reduction = chooseReduction(profile);
    let { width, height } = profile;
    this.#levels.push(new TileLevel(width, height, tiled(format, width, height), gate, new Spool(file.path, SPOOL_MEMORY)));
    while (reduction !== "none" && Math.max(width, height) > blockSize) {
      this.#reducers.push(new RowReducer(width, bands, sampleType, reduction, nodata));
      width = Math.ceil(width / 2);
      height = Math.ceil(height / 2);
      this.#levels.push(new TileLevel(width, height, tiled(format, width, height), gate, new Spool(file.path, SPOOL_MEMORY / 4)));
    }
    this.#tallies = Array.from({ length: bands }, () => new BandTally(sampleType, nodata));
  }

  async appendRows(data: Samples, rows: number): Promise<void> {
    this.#checkRows(data, rows);
    this.#busy = true;
    try {
      const { width, bands } = this.#profile;
      for (let band = 0; band < bands; band++) {
        for (let row = 0; row < rows; row++) {
          const from = (band * rows + row) * width;
          this.#tallies[band]!.add(data, from, from + width);
        }
      }
      this.#rows += rows;
      await this.#push(0, data, rows);
    } catch (error) {
      await this.#giveUp();
      throw error;
    } finally {
      this.#busy = false;
    }
  }

  async close(): Promise<void> {
    if (this.#state !== "open" || this.#busy) throw this.#misuse("close() was called while it is being written or after it was closed");
    if (this.#rows !== this.#profile.height) {
      const rows = this.#rows;
      await this.#giveUp();
      throw new GeoLearnError("INVALID_ARGUMENT", `${this.#file.path} got ${rows} rows; its profile says ${this.#profile.height}.`, {
        hint: "Append every row before closing. Nothing was written.",
      });
    }
    this.#state = "closing";
    try {
      for (let k = 0; k < this.#reducers.length; k++) {
        const rest = this.#reducers[k]!.finish();
        if (rest.rows > 0) await this.#push(k + 1, rest.data, rest.rows);
      }
      for (const level of this.#levels) await level.finish();
      await this.#assemble();
    } catch (error) {
      await this.#giveUp();
      throw error;
    }
    await this.#discardSpools();
    await this.#file.commit();
    this.#state = "done";
  }

  async abort(): Promise<void> {
    if (this.#state !== "done") await this.#giveUp();
  }

  async #push(level: number, data: Samples, rows: number): Promise<void> {
    await this.#levels[level]!.push(data, rows);
    const reducer = this.#reducers[level];
    if (reducer === undefined) return;
    const reduced = reducer.push(data, rows);
    if (reduced.rows > 0) await this.#push(level + 1, reduced.data, reduced.rows);
  }

  /** Signature, note, directories, then the pixels from the smallest copy to the full image. */
  async #assemble(): Promise<void> {
    const pixels = this.#levels.reduce((sum, level) => sum + level.spool.size, 0);
    const large = pixels + directoriesSize(this.#directories([]), true) > this.#classicLimit;
    const bigTiff = large || this.#profile.bigTiff === true;
    const size = String(Buffer.byteLength(STRUCTURE)).padStart(6, "0");
    const note = Buffer.from(`GDAL_STRUCTURAL_METADATA_SIZE=${size} bytes\n${STRUCTURE}`);
    const signatureBytes = bigTiff ? 16 : 8;
    const first = signatureBytes + note.length + (note.length & 1);
    const dataStart = first + directoriesSize(this.#directories([]), bigTiff);

    const starts: number[] = [];
    let position = dataStart;
    for (let k = this.#levels.length - 1; k >= 0; k--) {
      starts[k] = position;
      position += this.#levels[k]!.spool.size;
    }
    const head = Buffer.alloc(first);
    head.set(encodeSignature(bigTiff, first));
    head.set(note, signatureBytes);
    await this.#file.write(head, 0);
    await this.#file.write(encodeDirectories(this.#directories(starts), bigTiff, first), first);
    for (let k = this.#levels.length - 1; k >= 0; k--) {
      let at = starts[k]!;
      for await (const piece of this.#levels[k]!.spool.pieces()) {
        await this.#file.write(piece, at);
        at += piece.byteLength;
      }
    }
  }

  /** Tags of all resolutions; without `starts` only their number is right, which is enough to know their size. */
  #directories(starts: readonly number[]): Tag[][] {
    const profile = this.#profile;
    return this.#levels.map((level, k) => {
      const tags = sampleTags(profile, level.width, level.height, this.#predictor);
      const start = starts[k] ?? 0;
      tags.push(
        { id: 322, type: "short", values: [level.blockSize] },
        { id: 323, type: "short", values: [level.blockSize] },
        { id: 324, type: "offset", values: level.offsets.map((offset) => offset + start) },
        { id: 325, type: "long", values: level.byteCounts },
      );
      if (k > 0) tags.push({ id: 254, type: "long", values: [1] });
      else {
        const statistics = this.#tallies.map((tally) => tally.result());
        tags.push(...imageTags(profile, statistics, profile.width * profile.height));
      }
      return tags;
    });
  }

  #checkRows(data: Samples, rows: number): void {
    const { width, height, bands, sampleType } = this.#profile;
    if (this.#state !== "open" || this.#busy) throw this.#misuse("rows came while others are being written, or after close() or abort()");
    const expected = bands * rows * width;
    if (!holdsSamples(sampleType, data) || !Number.isInteger(rows) || rows < 0 || data.length !== expected) {
      throw new GeoLearnError(
        "INVALID_ARGUMENT",
        `${this.#file.path} got ${data.length} samples in a ${data.constructor.name} for ${rows} rows; ` +
          `expected ${expected} of ${sampleType} (${bands} bands x ${rows} rows x ${width} columns).`,
        { hint: "Give whole rows, band after band, in the sample type of the profile." },
      );
    }
    if (this.#rows + rows > height) {
      throw new GeoLearnError("INVALID_ARGUMENT", `${this.#file.path} got ${this.#rows + rows} rows; its profile says ${height}.`, {
        hint: "Append each row once.",
      });
    }
  }

  #misuse(what: string): GeoLearnError {
    return new GeoLearnError("INVALID_ARGUMENT", `${this.#file.path}: ${what}.`, { hint: "Await each call before the next one." });
  }

  async #giveUp(): Promise<void> {
    this.#state = "done";
    for (const level of this.#levels) await level.settle();
    await this.#discardSpools();
    await this.#file.abort();
  }

  async #discardSpools(): Promise<void> {
    for (const level of this.#levels) await level.spool.discard();
  }
}

/** Neighbouring class values say little about each other; measurements do. */
function choosePredictor({ sampleType, compression, colorTable, classNames }: RasterProfile): Predictor {
  if (compression === "none" || colorTable !== undefined || classNames !== undefined) return 1;
  return sampleType.startsWith("float") ? 3 : 2;
}

function chooseReduction({ overviews, colorTable, classNames }: RasterProfile): Reduction | "none" {
  return overviews ?? (colorTable !== undefined || classNames !== undefined ? "nearest" : "average");
}

/**
 * The tile format of one resolution. Tiles as wide as a tall image are taken for strips by GDAL-based validators, so a narrow
 * resolution gets smaller tiles.
 */
function tiled(format: TileFormat, width: number, height: number): TileFormat {
  let { blockSize } = format;
  if (Math.max(width, height) > MAX_UNTILED) while (blockSize >= width && blockSize % 32 === 0) blockSize /= 2;
  return { ...format, blockSize };
}

/** Side up to which a resolution counts as tiled in any case (rio-cogeo's rule). */
const MAX_UNTILED = 512;
