/**
 * Files that are either the whole former version or the whole new one: everything is written under a temporary name in
 * the same folder, flushed, renamed over the final name, and the folder is flushed too.
 */

import { randomBytes } from "node:crypto";
import fs, { type FileHandle } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { GeoLearnError } from "../errors.ts";

/** A fresh name beside `path`, hidden and ending in `.tmp`, on the same file system so that a rename is atomic. */
export function temporaryPath(path: string): string {
  return join(dirname(path), `.${basename(path).slice(0, 120)}.${randomBytes(6).toString("hex")}.tmp`);
}

const TEMPORARY = /^\..+\.[0-9a-f]{12}\.tmp$/;

/** Removes what writers that were killed left in a folder. Only for folders that one process writes to: what another is writing has such a name, too. */
export async function removeTemporaries(folder: string): Promise<void> {
  const left = (await fs.readdir(folder)).filter((name) => TEMPORARY.test(name));
  await Promise.all(left.map((name) => fs.rm(join(folder, name), { force: true })));
}

/** A file that does not bear its name yet. */
export interface AtomicFile {
  /** Final name. */
  readonly path: string;
  /** Name until `commit()`. */
  readonly temporary: string;
  /** Open for reading and writing, under the temporary name. */
  readonly handle: FileHandle;
  /** Writes all of `bytes` at `position`, however many calls that takes. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Flushes the file and gives it its name. @throws DISK_FULL, WRITE_FAILED; nothing is left behind then */
  commit(): Promise<void>;
  /** Removes the temporary file; safe at any time and any number of times. Does nothing after a commit. */
  abort(): Promise<void>;
}

/**
 * Opens a temporary file that becomes `path` on `commit()`.
 *
 * @throws DISK_FULL, WRITE_FAILED when the folder is missing or may not be written
 */
export async function openAtomic(path: string): Promise<AtomicFile> {
  const temporary = temporaryPath(path);
  const handle = await fs.open(temporary, "wx+").catch((error: unknown) => {
    throw writeError(path, error);
  });
  let state: "open" | "done" = "open";

  const abort = async (): Promise<void> => {
    if (state === "done") return;
    state = "done";
    await handle.close().catch(() => undefined);
    await fs.rm(temporary, { force: true }).catch(() => undefined);
  };

  const write = async (bytes: Uint8Array, position: number): Promise<void> => {
    try {
      await writeFully(handle, bytes, position);
    } catch (error) {
      throw writeError(path, error);
    }
  };

  const commit = async (): Promise<void> => {
    if (state === "done") throw new GeoLearnError("WRITE_FAILED", `${path} was already finished or given up.`);
    try {
      await handle.sync();
      await handle.close();
      await fs.rename(temporary, path);
    } catch (error) {
      await abort();
      throw writeError(path, error);
    }
    state = "done";
    await syncFolder(dirname(path));
  };

  return { path, temporary, handle, write, commit, abort };
}

/**
 * Writes a file so that `path` holds the whole former or the whole new content, never a part, also when the process is
 * killed or the disk fills up. A function instead of data gets the open file and writes it itself.
 *
 * @throws DISK_FULL, WRITE_FAILED; what the function throws is passed on. Nothing is left behind.
 * @example
 * await writeAtomic("stats.json", JSON.stringify(stats));
 */
export async function writeAtomic(path: string, data: Uint8Array | string | ((handle: FileHandle) => Promise<void>)): Promise<void> {
  const file = await openAtomic(path);
  try {
    if (typeof data === "function") await data(file.handle);
    else await file.write(typeof data === "string" ? Buffer.from(data) : data, 0);
  } catch (error) {
    await file.abort();
    throw isSystemError(error) ? writeError(path, error) : error;
  }
  await file.commit();
}

/** Writes all of `bytes`; a single `write` may take fewer. */
export async function writeFully(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  let done = 0;
  while (done < bytes.byteLength) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.byteLength - done, position + done);
    if (bytesWritten === 0) throw Object.assign(new Error("the device took no more bytes"), { code: "ENOSPC" });
    done += bytesWritten;
  }
}

/** The typed error for a failed write of `path`, with a hint of its own where one is given; an error of geolearn passes unchanged. */
export function writeError(path: string, error: unknown, hint?: string): GeoLearnError {
  if (GeoLearnError.is(error)) return error;
  const code = isSystemError(error) ? error.code : undefined;
  const details = { cause: error, data: { path, systemCode: code ?? null } };
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new GeoLearnError("DISK_FULL", `There is no room left on the disk for ${path}.`, {
      ...details,
      hint: hint ?? "Free some space or choose another output folder, then run again; the former file is unchanged.",
    });
  }
  const reason = error instanceof Error ? error.message : String(error);
  return new GeoLearnError("WRITE_FAILED", `${path} could not be written: ${reason}`, { ...details, hint: hint ?? writeHint(code) });
}

function writeHint(code: string | undefined): string {
  if (code === "ENOENT" || code === "ENOTDIR") return "Create the output folder first, or check its name.";
  if (code === "EACCES" || code === "EPERM" || code === "EROFS") return "Choose a folder that may be written to.";
  if (code === "EISDIR" || code === "EEXIST") return "The name belongs to a folder; choose another one.";
  if (code === "EMFILE" || code === "ENFILE") return "Too many files are open; raise the limit (ulimit -n) or use fewer workers.";
  return "Check the disk, then run again; the former file is unchanged.";
}

/** Whether an error comes from the file system. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException & { code: string } {
  return error instanceof Error && "code" in error && typeof error.code === "string" && !GeoLearnError.is(error);
}

/** Makes a rename durable. Windows cannot flush folders, and some network file systems refuse: the rename stands all the same. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await fs.open(folder, "r").catch(() => null);
  if (handle === null) return;
  await handle.sync().catch(() => undefined);
  await handle.close().catch(() => undefined);
}
