import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { writeSafetensors } from "@geolearn/models";
import { describe, expect, test } from "vitest";

import { discData } from "../testing/memory-data.ts";
import { createLearner } from "./learner.ts";

const root = fileURLToPath(new URL("../../../../", import.meta.url));
const peers = process.env["GEOLEARN_PEERS"] ?? join(root, "../.venv-peers");
const python = join(peers, "bin/python");
const available = existsSync(python);
if (!available) process.stdout.write(`skipped: PyTorch's training curves, there is no Python at ${python}\n`);

interface Curve {
  losses: number[];
  norms: number[];
  weights: Record<string, number>;
}

const SIDE = 32;
const EPOCHS = 5;

describe.skipIf(!available)("training runs as in PyTorch, from the same weights over the same batches", () => {
  test.each([
    { optimizer: "adam", weightDecay: 0, clipNorm: undefined },
    { optimizer: "adamw", weightDecay: 0.05, clipNorm: 0.3 },
    { optimizer: "sgd", weightDecay: 0.001, clipNorm: undefined },
  ] as const)(
    "$optimizer, one cycle, weight decay $weightDecay, clip $clipNorm",
    { timeout: 120_000 },
    async ({ optimizer, weightDecay, clipNorm }) => {
      const folder = await mkdtemp(join(tmpdir(), "twin-"));
      const data = discData({ side: SIDE });
      const learner = await createLearner(data, { base: 4, depth: 2, threads: 1, seed: 3 });
      await writeSafetensors(join(folder, "initial.safetensors"), learner.network.weights());
      const [images, targets]: [string[], string[]] = [[], []];
      for (let epoch = 0; epoch < EPOCHS; epoch++) {
        for await (const batch of data.train.read({ epoch })) {
          images.push(base64(batch.images));
          targets.push(base64(batch.targets));
        }
      }
      const lr = optimizer === "sgd" ? 0.1 : 3e-3;
      const run = {
        ...{ base: 4, depth: 2, bands: 3, classes: 2, side: SIDE, batch: data.batchSize, total: images.length, images, targets },
        ...{ lr, optimizer, weightDecay, clipNorm: clipNorm ?? 1e9 },
        mean: data.statistics.map(({ mean }) => mean),
        std: data.statistics.map(({ std }) => std),
      };
      await writeFile(join(folder, "run.json"), JSON.stringify(run));
      const peer = JSON.parse(
        execFileSync(python, [join(root, "tests/oracles/training_curve.py"), folder], { encoding: "utf8", maxBuffer: 1e8 }),
      ) as Curve;

      const losses: number[] = [];
      const norms: number[] = [];
      await learner.fit({
        ...{ epochs: EPOCHS, lr, optimizer, weightDecay, restoreBest: false },
        ...(clipNorm !== undefined && { clipNorm }),
        callbacks: [{ onStep: ({ loss, gradientNorm }) => void (losses.push(loss), norms.push(gradientNorm)) }],
      });
      expect(losses).toHaveLength(peer.losses.length);
      // Rounding differs in every sum and grows from step to step; ten steps stay within 1e-4, twenty within 1 %.
      for (let step = 0; step < losses.length; step++) {
        expect(relative(losses[step]!, peer.losses[step]!), `loss of step ${step + 1}`).toBeLessThan(step < 10 ? 1e-4 : 1e-2);
        expect(relative(norms[step]!, peer.norms[step]!), `norm of step ${step + 1}`).toBeLessThan(step < 10 ? 1e-3 : 5e-2);
      }
      for (const [name, { data: values }] of learner.network.weights()) {
        const squares = [...values].reduce((sum, value) => sum + value * value, 0);
        expect(Math.abs(squares - peer.weights[name]!) / Math.max(1e-2, peer.weights[name]!), name).toBeLessThan(2e-2);
      }
      await learner.dispose();
      await rm(folder, { recursive: true, force: true });
    },
  );
});

function base64(values: Float32Array | Int32Array): string {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString("base64");
}

function relative(ours: number, theirs: number): number {
  return Math.abs(ours - theirs) / Math.abs(theirs);
}
