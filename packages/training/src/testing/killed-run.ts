/**
 * A training run in a process of its own that kills itself at a given moment, for the tests of exact resume.
 *
 *     node --import tsx killed-run.ts FOLDER MOMENT [TENSORBOARD]
 *
 * MOMENT: `none`, `step:N` (after the N-th step of this process), `read:N` (while the N-th batch is read), `write:N` (half of
 * the N-th write to a file done), `sync:N` (before the N-th file is flushed and renamed). Prints the hash of the final
 * weights and the losses.
 */

import fs from "node:fs/promises";
import { join } from "node:path";

import { createLearner } from "../learner/create-learner.ts";
import { hashWeights } from "./hash-weights.ts";
import { discData } from "./memory-data.ts";

async function main(folder: string, moment: string, tensorboard: string | undefined): Promise<void> {
  const [what, when = "0"] = moment.split(":");
  const kill = countdown(Number(when));
  if (what === "write" || what === "sync") await sabotageFiles(folder, what, kill);
  const data = discData({ augment: true, onRead: () => void (what === "read" && kill() && die()) });
  const learner = await createLearner(data, { base: 4, depth: 2, threads: 1 });
  const { epochs, best } = await learner.fit({
    epochs: 4,
    checkpoint: folder,
    checkpointEvery: 3,
    resume: true,
    clipNorm: 1,
    ...(tensorboard !== undefined && { tensorboard }),
    callbacks: [{ onStep: () => void (what === "step" && kill() && die()) }],
  });
  const losses = epochs.map(({ epoch, trainLoss, validLoss, metrics }) => ({ epoch, trainLoss, validLoss, metrics }));
  process.stdout.write(JSON.stringify({ hash: hashWeights(learner.network), losses, best }));
}

/** True at the n-th call. */
function countdown(n: number): () => boolean {
  let left = n;
  return () => --left === 0;
}

function die(): void {
  process.kill(process.pid, "SIGKILL");
}

/** Makes every file handle of this process deadly. */
async function sabotageFiles(folder: string, what: "write" | "sync", kill: () => boolean): Promise<void> {
  await fs.mkdir(folder, { recursive: true });
  const probe = await fs.open(join(folder, "probe"), "w");
  const prototype = Object.getPrototypeOf(probe) as { write: (...args: unknown[]) => Promise<unknown>; sync: () => Promise<void> };
  const { write, sync } = prototype;
  prototype.write = async function (this: unknown, bytes: unknown, offset: unknown, length: unknown, position: unknown) {
    // Lock files are small and written by the same functions; only checkpoints count.
    if (what !== "write" || !(bytes instanceof Uint8Array) || bytes.length < 4096 || !kill())
      return write.call(this, bytes, offset, length, position);
    await write.call(this, bytes, offset, Math.floor(Number(length) / 2), position);
    return die();
  };
  prototype.sync = async function (this: { stat(): Promise<{ size: number; isFile(): boolean }> }) {
    const { size, isFile } = await this.stat().then((stat) => ({ size: stat.size, isFile: stat.isFile() }));
    if (what === "sync" && isFile && size > 4096 && kill()) return die();
    return sync.call(this);
  };
  await probe.close();
}

await main(process.argv[2]!, process.argv[3] ?? "none", process.argv[4]);
