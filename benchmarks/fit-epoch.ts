/** Wall time of an epoch of `fit`, reading and augmentation included, against the same loop in PyTorch. */

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { alternate, type Benchmark, makeRow } from "./bench.ts";
import { exportBanepa, type FitOutcome, hasBanepa, ourFit, peerFit } from "./fit-chips.ts";

const THREADS = 2;
const BATCH = 8;

export const benchmarks: readonly Benchmark[] = [
  {
    name: "fit-epoch",
    async run(context) {
      if (!hasBanepa()) {
        context.log("fit-epoch: the imagery is not there; skipped");
        return [];
      }
      const chips = join(context.scratch, "chips");
      await exportBanepa(chips, context.quick ? 512 : 1280);
      // One chip validates, so that both sides do almost nothing but train.
      const names = (await readFile(join(chips, "map.txt"), "utf8")).match(/\d+(?=\.tif)/g)!;
      const valid = join(context.scratch, "valid.txt");
      await writeFile(valid, `${names.at(-1)!}\n`);
      const epochs = context.quick ? 1 : 2;
      const common = { epochs, threads: THREADS, lr: 1e-3, seed: 1 };
      const script = context.peerScripts === null ? null : join(context.peerScripts, "torch_twin.py");
      const runs = context.runs ?? (context.quick ? 1 : 3);
      const { ours, peer } = await alternate(
        runs,
        () => ourFit({ chips, split: valid, dataSeed: 1, ...common }),
        context.python && script ? () => peerFit(context, script, { chips, valid, base: 16, batch: BATCH, ...common }) : null,
      );
      const conditions = { chips: ours[0]!.train, size: 256, batch: BATCH, base: 16, threads: THREADS, epochs };
      // Per chip trained on: ours drops a short last batch, the peer trains on it.
      const ourMs = ({ seconds, train }: FitOutcome): number => (1000 * seconds) / epochs / (train - (train % BATCH));
      const peerMs = ({ seconds, train }: FitOutcome): number => (1000 * seconds) / epochs / train;
      const peerName = peer.length > 0 ? "torch_twin.py" : null;
      return [
        makeRow({
          name: "fit-epoch/time",
          unit: "ms/chip",
          ours: ours.map(ourMs),
          peer: peer.map(peerMs),
          peerName,
          atMost: 1.2,
          conditions,
        }),
        makeRow({
          name: "fit-epoch/peak-memory",
          unit: "MiB",
          ours: ours.map(({ peakMb }) => peakMb),
          peer: peer.map(({ peakMb }) => peakMb),
          peerName,
          conditions,
        }),
      ];
    },
  },
];
