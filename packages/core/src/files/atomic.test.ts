import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { GeoLearnError } from "../errors.ts";
import { temporaryPath, writeAtomic, writeFully } from "./atomic.ts";
import { type Fault, withFault } from "./faults.testing.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "geolearn-atomic-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe("writeAtomic", () => {
  it("replaces a file and leaves nothing else", async () => {
    const path = join(folder, "a.json");
    await writeAtomic(path, "former");
    await writeAtomic(path, new TextEncoder().encode("new"));
    expect(await readFile(path, "utf8")).toBe("new");
    expect(await readdir(folder)).toEqual(["a.json"]);
  });

  it("hands out the open file", async () => {
    const path = join(folder, "a.bin");
    await writeAtomic(path, async (handle) => {
      await writeFully(handle, Buffer.from("world"), 6);
      await writeFully(handle, Buffer.from("hello "), 0);
    });
    expect(await readFile(path, "utf8")).toBe("hello world");
  });

  it("keeps the former file when the function fails, and passes its error on", async () => {
    const path = join(folder, "a.bin");
    await writeFile(path, "former");
    const reason = new DOMException("stopped", "AbortError");
    await expect(writeAtomic(path, () => Promise.reject(reason))).rejects.toBe(reason);
    expect(await readFile(path, "utf8")).toBe("former");
    expect(await readdir(folder)).toEqual(["a.bin"]);
  });

  it("says what to do when the folder is missing or the name is a folder", async () => {
    await expect(writeAtomic(join(folder, "no", "a"), "x")).rejects.toMatchObject({
      code: "WRITE_FAILED",
      hint: expect.stringContaining("output folder"),
    });
    await expect(writeAtomic(folder, "x")).rejects.toMatchObject({ code: "WRITE_FAILED" });
    expect(await readdir(folder)).toEqual([]);
  });

  it("uses a fresh name in the same folder each time", () => {
    const [a, b] = [temporaryPath("/data/x.tif"), temporaryPath("/data/x.tif")];
    expect(a).toMatch(/^\/data\/\.x\.tif\.[0-9a-f]{12}\.tmp$/);
    expect(a).not.toBe(b);
  });

  for (const fault of ["ENOSPC", "EIO", "EMFILE", "EACCES", "short"] as Fault[]) {
    it(`holds the former or the new file when call n fails with ${fault}`, async () => {
      const path = join(folder, "a.txt");
      await writeFile(path, "former");
      let n = 0;
      for (; ; n++) {
        await writeFile(path, "former");
        const { reached, error } = await withFault(n, fault, () => writeAtomic(path, "the new content"));
        expect(await readdir(folder)).toEqual(["a.txt"]);
        const content = await readFile(path, "utf8");
        if (error === null) expect(content).toBe("the new content");
        else {
          expect(GeoLearnError.is(error, fault === "ENOSPC" ? "DISK_FULL" : "WRITE_FAILED")).toBe(true);
          expect((error as GeoLearnError).hint).toBeTruthy();
          expect(content).toBe("former");
        }
        if (!reached) break;
      }
      expect(n).toBeGreaterThanOrEqual(5);
    });
  }
});
