/** Our side of the quality figures of detectors, in a process of its own: trains on some chips, and tells what it finds on the others. */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { encodeWindow, type MaskWindow, pasteMask, type SampleType } from "@geolearn/core";
import { type ObjectBatch, prepareData } from "@geolearn/data-prep";
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
  readonly task: "objectDetection" | "instanceSegmentation";
  readonly network: LearnerOptions;
  /** Leaves first weights, constants and names of the chips for the peer, and trains nothing. */
  readonly exportOnly?: boolean;
}

async function main(options: QualityArguments): Promise<void> {
  const { chips, split, folder, seed, epochs, batch, lr, clipNorm, threads, task, network, exportOnly } = options;
  const data = await prepareData(chips, { task, batchSize: batch, seed, split });
  const learner = await createLearner(data, { ...network, seed, threads });
  if (exportOnly) {
    await writeSafetensors(join(folder, "initial.safetensors"), learner.network.weights());
    const constants = { mean: data.statistics.map(({ mean }) => mean), std: data.statistics.map(({ std }) => std) };
    const { config, modelType } = learner.network;
    const sides = { train: data.train.names, valid: data.valid.names };
    await writeFile(join(folder, "twin.json"), JSON.stringify({ ...constants, modelType, config, ...sides }));
    console.log(JSON.stringify({ train: data.train.count, valid: data.valid.count }));
  } else {
    const started = performance.now();
    const { epochs: records } = await learner.fit({ epochs, lr, clipNorm, optimizer: "adam", restoreBest: false });
    const seconds = (performance.now() - started) / 1000;
    const model = join(folder, "ours.dlpk");
    await learner.save(model);
    const detector = objectDetector(await readModelPackage(model), { minScore: 0.05, nmsOverlap: 0.5, workers: 1, threads });
    const { bands, bandNames, sampleType, chipWidth: width, chipHeight: height } = data;
    await detector.configure({ bands, bandNames, sampleType: sampleType as SampleType, resolution: null, bandsChosen: true });
    const encoded = (mask: MaskWindow | null): number[] => [...encodeWindow(mask, width, height).counts];
    const images: object[] = [];
    for await (const batched of data.valid.read()) {
      const { images: pixels, real, size, names } = batched;
      const found = await detector.detect({ pixels, mask: new Uint8Array(size * width * height).fill(1), size, height, width, bands });
      for (let i = 0; i < real; i++) {
        const masks = found[i]!.map(({ mask, box }) => (mask === undefined ? null : encoded(pasteMask(mask, box, [0, 0, width, height]))));
        images.push({
          name: names[i],
          truth: truthOf(batched, i, width, height),
          boxes: found[i]!.flatMap(({ box }) => [...box]),
          scores: found[i]!.map(({ score }) => score),
          labels: found[i]!.map(({ classIndex }) => classIndex),
          ...(task === "instanceSegmentation" && { masks }),
        });
      }
    }
    await detector.dispose();
    console.log(JSON.stringify({ seconds, losses: records.map(({ trainLoss }) => Number(trainLoss.toFixed(4))), images }));
  }
  await learner.dispose();
  await data.close();
}

/** The objects of an image. */
function truthOf({ boxes, classIndices, counts, masks, maxObjects }: ObjectBatch, image: number, width: number, height: number): object {
  const [first, count, area] = [image * maxObjects, counts[image]!, width * height];
  const outlines = Array.from({ length: masks === undefined ? 0 : count }, (_, k) => {
    const bits = masks!.slice((first + k) * area, (first + k + 1) * area);
    return [...encodeWindow({ left: 0, top: 0, width, height, bits }, width, height).counts];
  });
  return {
    boxes: [...boxes.subarray(4 * first, 4 * (first + count))],
    labels: [...classIndices.subarray(first, first + count)],
    ...(masks !== undefined && { masks: outlines }),
  };
}

await main(JSON.parse(process.argv[2]!) as QualityArguments);
