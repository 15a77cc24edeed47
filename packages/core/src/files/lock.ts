/** One writer per output folder: a lock file that names its process, taken over when that process is dead. */

import { randomBytes } from "node:crypto";
import fs from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";

import { GeoLearnError } from "../errors.ts";
import { writeError } from "./atomic.ts";

const LOCK_NAME = ".geolearn.lock";

/** What a lock file says. `born` tells a process from a later one with the same number; null where the system cannot say. */
interface LockOwner {
  readonly pid: number;
  readonly host: string;
  readonly born: string | null;
  readonly token: string;
}

/**
 * Claims `folder` for this caller; a second claim fails until the returned function has been called. The claim of a
 * process that died is taken over. Claims from another computer (a shared folder) are never taken over.
 *
 * @throws OUTPUT_LOCKED naming the process that holds the folder, WRITE_FAILED when the folder cannot be written
 * @example
 * const unlock = await lockFolder("chips");
 * try { await writeChips(); } finally { await unlock(); }
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  return acquire(join(folder, LOCK_NAME), folder);
}

async function acquire(path: string, folder: string): Promise<() => Promise<void>> {
  const owner: LockOwner = {
    pid: process.pid,
    host: hostname(),
    born: await birth(process.pid),
    token: randomBytes(8).toString("hex"),
  };
  // The claim is complete before it appears: a reader never sees half of it.
  const prepared = `${path}.${owner.token}.tmp`;
  try {
    await fs.writeFile(prepared, JSON.stringify(owner), { flag: "wx" });
    for (let attempt = 0; attempt < 20; attempt++) {
      if (await linkExclusive(prepared, path)) return () => release(path, owner.token);
      const holder = await readOwner(path);
      if (holder === null) continue; // released between the two calls
      if (holder === "unreadable" || !(await isDead(holder))) throw lockedError(path, folder, holder);
      if (await takeOver(path, folder, prepared, holder.token)) return () => release(path, owner.token);
    }
    throw lockedError(path, folder, await readOwner(path));
  } catch (error) {
    throw writeError(path, error);
  } finally {
    await fs.rm(prepared, { force: true }).catch(() => undefined);
  }
}

/** True when `path` is now ours; false when somebody else has it. */
async function linkExclusive(prepared: string, path: string): Promise<boolean> {
  try {
    await fs.link(prepared, path);
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "EEXIST") return false;
    if (code !== "EPERM" && code !== "ENOTSUP" && code !== "ENOSYS" && code !== "EMLINK") throw error;
  }
  // A file system without hard links (FAT, some network shares).
  try {
    await fs.copyFile(prepared, path, fs.constants.COPYFILE_EXCL);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/**
 * Replaces the claim of a dead process. Only who holds the lock on that very claim (by its token) may, and only while the
 * claim still stands: so of several that notice the death one wins and the others see a living holder.
 */
async function takeOver(path: string, folder: string, prepared: string, deadToken: string): Promise<boolean> {
  let unlock: () => Promise<void>;
  try {
    unlock = await acquire(`${path}.${deadToken}`, folder);
  } catch (error) {
    if (!GeoLearnError.is(error, "OUTPUT_LOCKED")) throw error;
    await new Promise((resolve) => setTimeout(resolve, 20));
    return false;
  }
  try {
    const holder = await readOwner(path);
    if (holder === null || holder === "unreadable" || holder.token !== deadToken) return false;
    await fs.copyFile(prepared, `${prepared}2`);
    await fs.rename(`${prepared}2`, path);
    return true;
  } finally {
    await unlock();
  }
}

async function release(path: string, token: string): Promise<void> {
  const holder = await readOwner(path);
  if (holder === null || holder === "unreadable" || holder.token !== token) return;
  await fs.rm(path, { force: true });
}

async function readOwner(path: string): Promise<LockOwner | "unreadable" | null> {
  let text: string;
  try {
    text = await fs.readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  try {
    const value = JSON.parse(text) as Partial<LockOwner> | null;
    if (typeof value?.pid !== "number" || typeof value.host !== "string" || typeof value.token !== "string") return "unreadable";
    if (!/^[0-9a-f]{16}$/.test(value.token)) return "unreadable";
    return { pid: value.pid, host: value.host, token: value.token, born: typeof value.born === "string" ? value.born : null };
  } catch {
    return "unreadable";
  }
}

async function isDead(owner: LockOwner): Promise<boolean> {
  if (owner.host !== hostname()) return false;
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
  const born = await birth(owner.pid);
  return born !== null && owner.born !== null && born !== owner.born;
}

/** When a process started, as Linux tells it (ticks since boot, and which boot); null elsewhere. */
async function birth(pid: number): Promise<string | null> {
  try {
    const stat = await fs.readFile(`/proc/${pid}/stat`, "utf8");
    const boot = await fs.readFile("/proc/sys/kernel/random/boot_id", "utf8");
    const ticks = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
    return ticks === undefined ? null : `${boot.trim()}/${ticks}`;
  } catch {
    return null;
  }
}

function lockedError(path: string, folder: string, holder: LockOwner | "unreadable" | null): GeoLearnError {
  if (holder === null || holder === "unreadable") {
    return new GeoLearnError("OUTPUT_LOCKED", `${folder} is locked by a file that names no process: ${path}.`, {
      hint: `If nothing is writing there, delete ${path}.`,
      data: { folder, lock: path, pid: null, host: null },
    });
  }
  return new GeoLearnError("OUTPUT_LOCKED", `${folder} is being written by process ${holder.pid} on ${holder.host}.`, {
    hint:
      holder.host === hostname()
        ? "Wait until it has ended, stop it, or choose another output folder."
        : `Wait until it has ended; if it died there, delete ${path}.`,
    data: { folder, lock: path, pid: holder.pid, host: holder.host },
  });
}
