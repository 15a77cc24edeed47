/** Cancels a classifier while its threads compute and waits for their end, with nothing else to keep the process alive. Arguments: model, delay in ms. */

import { pixelClassifier } from "@geolearn/inference";

async function main(model: string, delay: number): Promise<void> {
  const classifier = pixelClassifier(model, { workers: 2, threads: 1 });
  const { tileHeight: height, tileWidth: width } = await classifier.configure({
    bands: 3,
    bandNames: ["red", "green", "blue"],
    sampleType: "uint8",
    resolution: 0.5,
  });
  const block = {
    pixels: new Float32Array(height * width * 3),
    mask: new Uint8Array(height * width).fill(1),
    size: 1,
    height,
    width,
    bands: 3,
  };
  await classifier.process(block);
  const controller = new AbortController();
  const runs = Array.from({ length: 6 }, () => classifier.process(block, controller.signal));
  setTimeout(() => controller.abort(new DOMException("Interrupted.", "AbortError")), delay);
  await Promise.allSettled(runs);
  await classifier.dispose();
  process.stdout.write("ended");
}

void main(process.argv[2]!, Number(process.argv[3]));
