/** Disks that fail on purpose, for tests: the n-th call to the file system throws. */

import fs, { type FileHandle } from "node:fs/promises";

const HANDLE_CALLS = ["write", "writev", "writeFile", "sync", "datasync", "truncate", "close", "read"] as const;
const MODULE_CALLS = ["open", "rename", "link", "writeFile"] as const;

/** How a fault shows. "short" makes a write take only a part of its bytes, which is no failure. */
export type Fault = "ENOSPC" | "EIO" | "EMFILE" | "EACCES" | "short";

/**
 * Runs `work` with the `n`-th call (from 0) to the file system failing.
 *
 * @returns whether that many calls were made, so that a test can go on until there are no more
 */
export async function withFault(n: number, fault: Fault, work: () => Promise<void>): Promise<{ reached: boolean; error: unknown }> {
  let calls = 0;
  let reached = false;
  const strike = (): boolean => {
    const hit = calls++ === n;
    reached ||= hit;
    return hit;
  };
  const failure = (): Error => Object.assign(new Error(`${fault}: made by the test`), { code: fault, syscall: "test" });
  const originals = new Map<string, unknown>();
  const module = fs as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
  for (const name of MODULE_CALLS) {
    const original = module[name]!;
    originals.set(name, original);
    module[name] = async (...args) => {
      if (strike() && fault !== "short") throw failure();
      const result = await original.apply(fs, args);
      return name === "open" ? faultyHandle(result as FileHandle, strike, failure, fault) : result;
    };
  }
  let error: unknown = null;
  try {
    await work();
  } catch (caught) {
    error = caught;
  } finally {
    for (const [name, original] of originals) module[name] = original as (typeof module)[string];
  }
  return { reached, error };
}

function faultyHandle(handle: FileHandle, strike: () => boolean, failure: () => Error, fault: Fault): FileHandle {
  return new Proxy(handle, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== "function") return value;
      const call = value as (...args: unknown[]) => Promise<unknown>;
      if (!(HANDLE_CALLS as readonly (string | symbol)[]).includes(key)) return call.bind(target);
      return async (...args: unknown[]): Promise<unknown> => {
        if (!strike()) return call.apply(target, args);
        if (fault === "short") {
          if (key === "write" && typeof args[2] === "number" && args[2] > 1) args[2] = args[2] >> 1;
          return call.apply(target, args);
        }
        // A failed close still gives the descriptor back, as the system does.
        if (key === "close") await call.apply(target, args);
        throw failure();
      };
    },
  });
}
