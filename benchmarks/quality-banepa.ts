/**
 * Building IoU of the plain U-Net after eight epochs, against the same network trained in PyTorch: same chips, same split,
 * same first weights, same norm constants, last epoch on both sides, three seeds a side.
 */

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { alternate, type Benchmark, type BenchmarkRow, makeRow } from "./bench.ts";
import { exportBanepa, type FitOutcome, hasBanepa, ourFit, peerFit } from "./fit-chips.ts";

const THREADS = 2;
/** How far our mean may lie below the peer's. */
const MARGIN = 0.02;

export const benchmarks: readonly Benchmark[] = [
  {
    name: "quality-banepa",
    async run(context) {
      if (!hasBanepa()) {
        context.log("quality-banepa: the imagery is not there; skipped");
        return [];
      }
      const chips = join(context.scratch, "chips");
      await exportBanepa(chips, context.quick ? 1024 : undefined);
      const [seeds, epochs] = context.quick ? [1, 1] : [3, 8];
      const common = { epochs, threads: THREADS, lr: 1e-3 };
      const twin = fileURLToPath(new URL("peers/twin.py", import.meta.url));
      const start = async (seed: number): Promise<string> => {
        const folder = join(context.scratch, `seed-${seed}`);
        await mkdir(folder, { recursive: true });
        await ourFit({ chips, split: "blocks", dataSeed: 1, seed, ...common, export: folder });
        return folder;
      };
      const tell = (side: string, seed: number, { losses, iou, seconds }: FitOutcome): void =>
        context.log(
          `quality-banepa: ${side}, seed ${seed}: building IoU ${iou[1]!.toFixed(4)}, losses ${losses.join(" ")}, ${seconds.toFixed(0)} s`,
        );
      const { ours, peer } = await alternate(
        seeds,
        async (run) => {
          await start(run + 1);
          const outcome = await ourFit({ chips, split: join(chips, "split.json"), dataSeed: run + 1, seed: run + 1, ...common });
          tell("ours", run + 1, outcome);
          return outcome;
        },
        context.python && context.peerScripts
          ? async (run) => {
              const folder = await start(run + 1);
              const files = {
                train: join(folder, "train.txt"),
                valid: join(folder, "valid.txt"),
                initial: join(folder, "initial.safetensors"),
              };
              const outcome = await peerFit(context, twin, {
                ...{ networks: context.peerScripts!, chips, ...files, constants: join(folder, "constants.json") },
                ...{ base: 16, batch: 8, seed: run + 1, ...common },
              });
              tell("peer", run + 1, outcome);
              return outcome;
            }
          : null,
      );
      return [row(ours, peer, { chips: ours[0]!.train, validation: ours[0]!.valid, epochs, batch: 8, base: 16, seeds })];
    },
  },
];

/** Means, not medians, of the seeds; the bound is a difference, given as the ratio it amounts to. */
function row(ours: readonly FitOutcome[], peer: readonly FitOutcome[], conditions: BenchmarkRow["conditions"]): BenchmarkRow {
  const ious = (side: readonly FitOutcome[]): number[] => side.map(({ iou }) => iou[1]!);
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  const listed = (values: readonly number[]): string => values.map((value) => value.toFixed(4)).join(" ");
  const other = peer.length > 0 ? mean(ious(peer)) : null;
  return makeRow({
    name: "quality-banepa/building-iou",
    unit: "IoU",
    ours: [mean(ious(ours))],
    peer: other === null ? [] : [other],
    peerName: other === null ? null : "twin.py",
    ...(other !== null && { atLeast: (other - MARGIN) / other }),
    conditions: { ...conditions, ourSeeds: listed(ious(ours)), peerSeeds: listed(ious(peer)) },
  });
}
