import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { lockFolder } from "./lock.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "geolearn-lock-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Another process that claims the folder, prints the outcome, and holds what it got until it is ended. */
function claimant(): ChildProcess {
  const script = `
    import { lockFolder } from ${JSON.stringify(new URL("./lock.ts", import.meta.url).href)};
    lockFolder(process.argv[1]).then(() => { console.log("got"); setInterval(() => {}, 1000); }, (e) => { console.log(e.code); });`;
  return spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script, folder], {
    stdio: ["ignore", "pipe", "inherit"],
  });
}

async function said(child: ChildProcess): Promise<string> {
  const [line] = (await once(child.stdout!, "data")) as [Buffer];
  return line.toString().trim();
}

describe("lockFolder", () => {
  it("lets one in at a time and names the holder", async () => {
    const unlock = await lockFolder(folder);
    await expect(lockFolder(folder)).rejects.toMatchObject({
      code: "OUTPUT_LOCKED",
      message: expect.stringContaining(`process ${process.pid} on ${hostname()}`),
      data: { pid: process.pid },
    });
    await unlock();
    await unlock();
    expect(await readdir(folder)).toEqual([]);
    await (
      await lockFolder(folder)
    )();
  });

  it("does not take what a file without a process, or another computer, holds", async () => {
    const path = join(folder, ".geolearn.lock");
    await writeFile(path, "{");
    await expect(lockFolder(folder)).rejects.toMatchObject({ code: "OUTPUT_LOCKED", hint: expect.stringContaining("delete") });
    await writeFile(path, JSON.stringify({ pid: 1, host: "elsewhere", born: null, token: "0123456789abcdef" }));
    await expect(lockFolder(folder)).rejects.toMatchObject({ code: "OUTPUT_LOCKED", data: { host: "elsewhere" } });
  });

  it("knows a process from a later one with the same number", async () => {
    if (process.platform !== "linux") return;
    const token = "0123456789abcdef";
    await writeFile(join(folder, ".geolearn.lock"), JSON.stringify({ pid: process.pid, host: hostname(), born: "boot/1", token }));
    await (
      await lockFolder(folder)
    )();
  });

  it("says when the folder is missing", async () => {
    await expect(lockFolder(join(folder, "missing"))).rejects.toMatchObject({ code: "WRITE_FAILED" });
  });

  it("takes over from a killed process; of several that try, one wins", async () => {
    const first = claimant();
    expect(await said(first)).toBe("got");
    await expect(lockFolder(folder)).rejects.toMatchObject({ code: "OUTPUT_LOCKED", data: { pid: first.pid } });
    first.kill("SIGKILL");
    await once(first, "exit");

    const others = [claimant(), claimant(), claimant(), claimant()];
    const outcomes = await Promise.all(others.map(said));
    expect(outcomes.sort()).toEqual(["OUTPUT_LOCKED", "OUTPUT_LOCKED", "OUTPUT_LOCKED", "got"]);
    for (const other of others) {
      if (other.exitCode !== null) continue;
      other.kill("SIGKILL");
      await once(other, "exit");
    }
    await (
      await lockFolder(folder)
    )();
    expect(await readdir(folder)).toEqual([]);
  });
});
