/** Our side of the training-step figure: the plain U-Net, one step (forward, backward, Adam) and one forward pass. Prints one JSON line. */

import { performance } from "node:perf_hooks";

import { compile, createOptimizer, softmaxCrossEntropy, startEngine } from "@geolearn/engine";
import { createUNet } from "@geolearn/models";
import * as tf from "@tensorflow/tfjs";

import { median } from "./bench.ts";

const [base, depth, batch, size, threads, steps, bands, classes] = process.argv.slice(2).map(Number) as [
  ...[number, number, number, number],
  ...[number, number, number, number],
];

/** Times all runs but the first two, which allocate memory; milliseconds per image. */
async function timed(run: (step: number) => Promise<unknown>): Promise<{ median: number; min: number }> {
  const times: number[] = [];
  for (let step = 1; step <= steps + 2; step++) {
    const start = performance.now();
    await run(step);
    if (step > 2) times.push((performance.now() - start) / batch);
  }
  return { median: median(times), min: Math.min(...times) };
}

async function main(): Promise<void> {
  await startEngine({ device: "cpu", threads });
  const network = createUNet({ bands, classes, base, depth }, { seed: 1 });
  const variables = network.parameters.filter((parameter) => parameter.trainable).map(({ variable }) => variable);
  const adam = createOptimizer({ type: "adam" }, variables);
  const image = { shape: [batch, size, size, bands], dtype: "float32" } as const;
  const scalar = { shape: [], dtype: "float32" } as const;
  const train = compile(
    ({ x, y, rate, step }) => {
      const loss = (): tf.Scalar => softmaxCrossEntropy(network.forward(x as tf.Tensor4D, { training: true }), y!) as tf.Scalar;
      const { value, grads } = tf.variableGrads(loss, variables);
      adam.apply(variables.map((variable) => grads[variable.name]!), rate!, step!); // prettier-ignore
      return { loss: value };
    },
    { inputs: { x: image, y: { shape: [batch, size, size], dtype: "int32" }, rate: scalar, step: scalar } },
  );
  const x = Float32Array.from({ length: batch * size * size * bands }, (_, i) => Math.sin(i * 12.9898) * 1.4);
  const y = Int32Array.from({ length: batch * size * size }, (_, i) => Math.floor(i * 0.618) % classes);
  const trainMsPerImage = await timed((step) => train.run({ x, y, rate: 1e-3, step }));
  await train.dispose();
  const forward = compile((given) => ({ y: network.forward(given["x"] as tf.Tensor4D, { training: false }) }), {
    inputs: { x: image },
    variables: "constant",
  });
  const inferMsPerImage = await timed(() => forward.run({ x }));
  await forward.dispose();
  const params = variables.reduce((sum, variable) => sum + variable.size, 0);
  console.log(JSON.stringify({ params, trainMsPerImage, inferMsPerImage }));
}

await main();
