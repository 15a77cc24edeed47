/** Our side of the quality figures of detectors, in a process of its own: trains on some chips, and tells what it finds on the others. */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { prepareData } from "@geolearn/data-prep";
import { objectDetector } from "@geolearn/inference";
import { readModelPackage, writeSafetensors } from "@geolearn/models";
import { type LearnerOptions, createLearner } from "@geolearn/training";

interface QualityArguments {
  readonly chips: string;
  /** File with the names of the validation chips. */
  readonly split: string;
  readonly folder: string;
  readonly seed: number;
  readonly epochs: number;
  readonly batch: number;
  readonly lr: number;
  readonly clipNorm: number;
  readonly threads: number;
  readonly network: LearnerOptions;
  /** Leaves first weights, constants and names of the chips for the peer, and trains nothing. */
  readonly exportOnly?: boolean;
}

async function main(options: QualityArguments): Promise<void> {
  const { chips, split, folder, seed, epochs, batch, lr, clipNorm, threads, network, exportOnly } = options;
  const data = await prepareData(chips, { task: "objectDetection", batchSize: batch, seed, split });
  const learner = await createLearner(data, { ...network, seed, threads });
  if (exportOnly) {
    await writeSafetensors(join(folder, "initial.safetensors"), learner.network.weights());
    const constants = { mean: data.statistics.map(({ mean }) => mean), std: data.statistics.map(({ std }) => std) };
    const { config } = learner.network;
    await writeFile(join(folder, "twin.json"), JSON.stringify({ ...constants, config, train: data.train.names, valid: data.valid.names }));
    console.log(JSON.stringify({ train: data.train.count, valid: data.valid.count }));
  } else {
    const started = performance.now();
    const { epochs: records } = await learner.fit({ epochs, lr, clipNorm, optimizer: "adam", restoreBest: false });
    const seconds = (performance.now() - started) / 1000;
    const model = join(folder, "ours.dlpk");
    await learner.save(model);
    const detector = objectDetector(await readModelPackage(model), { minScore: 0.05, nmsOverlap: 0.5, workers: 1 });
    const { bands, bandNames, chipWidth: width, chipHeight: height } = data;
    await detector.configure({ bands, bandNames, sampleType: "uint8", resolution: null, bandsChosen: true });
    const images: object[] = [];
    for await (const { images: pixels, boxes, classIndices, counts, maxObjects, names, real, size } of data.valid.read()) {
      const found = await detector.detect({ pixels, mask: new Uint8Array(size * width * height).fill(1), size, height, width, bands });
      for (let i = 0; i < real; i++) {
        const [first, count] = [i * maxObjects, counts[i]!];
        images.push({
          name: names[i],
          truth: { boxes: [...boxes.subarray(4 * first, 4 * (first + count))], labels: [...classIndices.subarray(first, first + count)] },
          boxes: found[i]!.flatMap(({ box }) => [...box]),
          scores: found[i]!.map(({ score }) => score),
          labels: found[i]!.map(({ classIndex }) => classIndex),
        });
      }
    }
    await detector.dispose();
    console.log(JSON.stringify({ seconds, losses: records.map(({ trainLoss }) => Number(trainLoss.toFixed(4))), images }));
  }
  await learner.dispose();
  await data.close();
}

await main(JSON.parse(process.argv[2]!) as QualityArguments);
