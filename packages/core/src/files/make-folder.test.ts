/** Folders that cannot be made. */

import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeFolder } from "./make-folder.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "geolearn-folder-"));
});
afterAll(() => rm(folder, { recursive: true }));

test("makes what is missing, and leaves what is there", async () => {
  await makeFolder(join(folder, "a/b"));
  await makeFolder(join(folder, "a/b"));
  expect(existsSync(join(folder, "a/b"))).toBe(true);
});

test.each(["file", "file/below"])("a file in the way: %s", async (name) => {
  await writeFile(join(folder, "file"), "");
  await expect(makeFolder(join(folder, name))).rejects.toMatchObject({
    code: "WRITE_FAILED",
    hint: "A file is where a folder should be; choose another folder.",
  });
});

test.skipIf(process.platform === "win32" || process.getuid?.() === 0)(
  "a folder that may not be written (needs another user than root)",
  async () => {
    const closed = join(folder, "closed");
    await mkdir(closed);
    await chmod(closed, 0o555);
    await expect(makeFolder(join(closed, "new"))).rejects.toMatchObject({
      code: "WRITE_FAILED",
      hint: "Choose a folder that may be written to.",
    });
  },
);
