/** Our side of the training benchmarks, in a process of its own: trains the plain U-Net on a chip folder and prints one JSON line. */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { prepareData } from "@geolearn/data-prep";
import { writeSafetensors } from "@geolearn/models";
import { createLearner } from "@geolearn/training";

interface FitArguments {
  readonly chips: string;
  /** `"blocks"`, or a file with a split. */
  readonly split: string;
  /** Decides blocks, order and augmentation. */
  readonly dataSeed: number;
  /** Decides the first weights. */
  readonly seed: number;
  readonly epochs: number;
  readonly threads: number;
  readonly lr: number;
  /** Where first weights and norm constants are left for the peer; nothing is trained then. */
  readonly export?: string;
}

async function main({ chips, split, dataSeed, seed, epochs, threads, lr, export: folder }: FitArguments): Promise<void> {
  const data = await prepareData(chips, { task: "pixelClassification", batchSize: 8, seed: dataSeed, split });
  const learner = await createLearner(data, { base: 16, depth: 4, seed, threads });
  if (folder !== undefined) {
    await writeSafetensors(join(folder, "initial.safetensors"), learner.network.weights());
    const constants = { mean: data.statistics.map(({ mean }) => mean), std: data.statistics.map(({ std }) => std) };
    await writeFile(join(folder, "constants.json"), JSON.stringify(constants));
    await writeFile(join(folder, "train.txt"), data.train.names.join("\n"));
    await writeFile(join(folder, "valid.txt"), data.valid.names.join("\n"));
    console.log(JSON.stringify({ train: data.train.count, valid: data.valid.count }));
  } else {
    // Reading, augmentation and steps; validation between epochs is left out, as it is in the peer.
    let [seconds, begun, stepped] = [0, performance.now(), 0];
    const callback = {
      onStep: () => {
        stepped = performance.now();
      },
      onEpochEnd: () => {
        seconds += (stepped - begun) / 1000;
        begun = performance.now();
      },
    };
    const { epochs: records } = await learner.fit({
      epochs,
      lr,
      optimizer: "adam",
      restoreBest: false,
      callbacks: [callback],
      onProgress: () => undefined,
    });
    const { classes } = await learner.evaluate();
    console.log(
      JSON.stringify({
        train: data.train.count,
        valid: data.valid.count,
        seconds,
        losses: records.map(({ trainLoss }) => Number(trainLoss.toFixed(5))),
        iou: classes.map(({ iou }) => iou),
      }),
    );
  }
  await learner.dispose();
  await data.close();
}

await main(JSON.parse(process.argv[2]!) as FitArguments);
