/**
 * The rasters of one piece of work, written together: all of them appear when everything is done, none before. While work
 * goes on everything lies in one folder beside the result; it is removed at the end, and also after a failure or a cancel.
 * Only a killed process leaves it, and then its journal of finished rows is taken up.
 */

import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import {
  type RasterProfile,
  type RasterWriter,
  type Samples,
  createRaster,
  isSystemError,
  lockFolder,
  samplesFrom,
  writeError,
} from "@geolearn/core";

import { RowJournal } from "./row-journal.ts";

/** One raster of a set. */
export interface Layer {
  readonly name: string;
  /** Where it goes, or null for a temporary file. */
  readonly path: string | null;
  readonly profile: RasterProfile;
}

/** How a set is opened. */
export interface OutputSetOptions {
  /** Path of the main raster; null for temporary files. */
  readonly out: string | null;
  /** What the rows belong to, plain JSON; null keeps no journal. */
  readonly job: unknown;
  /** Called for all rows that are written, those of an earlier run included. */
  readonly onRows?: (arrays: readonly Samples[], rows: number) => void;
}

const JOURNAL = "rows.journal";
const LOCK_PREFIX = ".geolearn.lock";

/** An open set; see the file's comment. */
export class OutputSet {
  /** Rows that are written, those of an earlier run included. */
  rows = 0;
  readonly #layers: readonly Layer[];
  readonly #folder: string;
  readonly #writers: RasterWriter[] = [];
  readonly #unlock: () => Promise<void>;
  readonly #keep: boolean;
  readonly #onRows: ((arrays: readonly Samples[], rows: number) => void) | undefined;
  #journal: RowJournal | null = null;
  #ended = false;

  private constructor(layers: readonly Layer[], folder: string, unlock: () => Promise<void>, { out, onRows }: OutputSetOptions) {
    this.#layers = layers;
    this.#folder = folder;
    this.#keep = out === null;
    this.#unlock = unlock;
    this.#onRows = onRows;
  }

  /**
   * Opens the set and writes the rows of an earlier, killed run of the same job again.
   *
   * @throws OUTPUT_LOCKED when another process works on the same output, DISK_FULL, WRITE_FAILED
   */
  static async open(layers: readonly Layer[], options: OutputSetOptions): Promise<OutputSet> {
    const { out, job } = options;
    const folder = out === null ? await mkdtemp(join(tmpdir(), "geolearn-")) : await makeFolder(`${out}.partial`, out);
    const unlock = out === null ? () => Promise.resolve() : await lockFolder(folder);
    const set = new OutputSet(layers, folder, unlock, options);
    try {
      for (const name of await readdir(folder)) {
        const stays = name.startsWith(LOCK_PREFIX) || (job !== null && name === JOURNAL);
        if (!stays) await rm(join(folder, name), { recursive: true, force: true });
      }
      for (const layer of layers) set.#writers.push(await createRaster(join(folder, `${layer.name}.tif`), layer.profile));
      if (job !== null) await set.#takeUp(job);
      return set;
    } catch (error) {
      await set.abort();
      throw writeFailure(error, out ?? folder);
    }
  }

  /** Files of the layers once the set is committed. */
  get paths(): readonly string[] {
    return this.#layers.map((layer) => layer.path ?? join(this.#folder, `${layer.name}.tif`));
  }

  /** Folder to remove when temporary files are no longer needed, or null. */
  get temporaryFolder(): string | null {
    return this.#keep ? this.#folder : null;
  }

  /** The next rows of every layer, `[bands][rows][width]` each. @throws DISK_FULL, WRITE_FAILED */
  async append(rows: number, arrays: readonly Samples[]): Promise<void> {
    try {
      await Promise.all(this.#writers.map((writer, i) => writer.appendRows(arrays[i]!, rows)));
      const sections = arrays.map((array) => ({
        bytes: new Uint8Array(array.buffer, array.byteOffset, array.byteLength),
        pack: array.BYTES_PER_ELEMENT < 4,
      }));
      await this.#journal?.append(rows, sections);
      this.#onRows?.(arrays, rows);
      this.rows += rows;
    } catch (error) {
      throw writeFailure(error, this.#layers[0]?.path ?? this.#folder);
    }
  }

  /** Finishes all files and gives them their names. */
  async commit(): Promise<void> {
    try {
      for (const writer of this.#writers) await writer.close();
      for (const [i, layer] of this.#layers.entries()) {
        if (layer.path !== null) await rename(join(this.#folder, `${layer.name}.tif`), this.paths[i]!);
      }
    } catch (error) {
      throw writeFailure(error, this.#layers[0]?.path ?? this.#folder);
    }
    this.#ended = true;
    await this.#journal?.close();
    await this.#unlock();
    if (!this.#keep) await rm(this.#folder, { recursive: true, force: true });
  }

  /** Removes everything that is not finished; does nothing after a commit. */
  async abort(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    for (const writer of this.#writers) await writer.abort();
    await this.#journal?.close();
    await this.#unlock();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #takeUp(job: unknown): Promise<void> {
    const journal = await RowJournal.open(join(this.#folder, JOURNAL), job);
    this.#journal = journal;
    for await (const { rows, sections } of journal.records()) {
      const arrays = sections.map((bytes, i) => samplesFrom(this.#layers[i]!.profile.sampleType, bytes));
      await Promise.all(this.#writers.map((writer, i) => writer.appendRows(arrays[i]!, rows)));
      this.#onRows?.(arrays, rows);
      this.rows += rows;
    }
  }
}

async function makeFolder(folder: string, out: string): Promise<string> {
  try {
    await mkdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw writeFailure(error, out);
  }
  return folder;
}

/** Errors that do not come from the file system pass unchanged. */
function writeFailure(error: unknown, path: string): unknown {
  return isSystemError(error) ? writeError(path, error) : error;
}
