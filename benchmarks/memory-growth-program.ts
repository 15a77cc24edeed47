/** Our side of the memory-growth figures: resident memory after warm-up and at the end, of training steps or of sessions. Prints one JSON line. */

import { setTimeout as pause } from "node:timers/promises";

import { compile, createOptimizer, softmaxCrossEntropy, startEngine } from "@geolearn/engine";
import { createUNet } from "@geolearn/models";
import * as tf from "@tensorflow/tfjs";

const [kind, first, last] = [process.argv[2]!, Number(process.argv[3]), Number(process.argv[4])];

/** MiB, once nothing that could be released is left. */
async function residentMb(): Promise<number> {
  // Typed arrays are released by a finalizer that runs after the collection.
  for (let round = 0; round < 3; round++) {
    globalThis.gc!();
    await pause(20);
  }
  return process.memoryUsage().rss / 2 ** 20;
}

async function growthOver(once: (number: number) => Promise<void>): Promise<number> {
  let before = 0;
  for (let number = 1; number <= last; number++) {
    await once(number);
    if (number === first) before = await residentMb();
  }
  return (await residentMb()) - before;
}

/** Steps of a small U-Net in one session. */
async function steps(): Promise<number> {
  const [batch, size] = [2, 64];
  const network = createUNet({ bands: 3, classes: 2, base: 8, depth: 3 }, { seed: 1 });
  const variables = network.parameters.filter(({ trainable }) => trainable).map(({ variable }) => variable);
  const adam = createOptimizer({ type: "adam" }, variables);
  const step = compile(
    ({ x, y, number }) => {
      const loss = (): tf.Scalar => softmaxCrossEntropy(network.forward(x as tf.Tensor4D, { training: true }), y!) as tf.Scalar;
      const { value, grads } = tf.variableGrads(loss, variables);
      adam.apply(variables.map((variable) => grads[variable.name]!), tf.mul(number!, 1e-6), number!); // prettier-ignore
      return { loss: value };
    },
    {
      inputs: {
        x: { shape: [batch, size, size, 3], dtype: "float32" },
        y: { shape: [batch, size, size], dtype: "int32" },
        number: { shape: [], dtype: "float32" },
      },
    },
  );
  return growthOver(async (number) => {
    const x = Float32Array.from({ length: batch * size * size * 3 }, (_, i) => Math.sin(i + number));
    await step.run({ x, y: new Int32Array(batch * size * size), number });
  });
}

/** A function compiled, run and disposed, each of another shape than the one before. */
function sessions(): Promise<number> {
  const filter = tf.variable(tf.mul(tf.ones<tf.Rank.R4>([3, 3, 4, 8]), 0.1));
  return growthOver(async (number) => {
    const shape = [1, 16 + (number % 7), 16 + (number % 5), 4];
    const f = compile(({ x }) => ({ y: tf.mean(tf.relu(tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, 1, "same"))) }), {
      inputs: { x: { shape, dtype: "float32" } },
    });
    await f.run({ x: new Float32Array(shape.reduce((product, side) => product * side, 1)) });
    await f.dispose();
  });
}

await startEngine({ device: "cpu", threads: 2 });
console.log(JSON.stringify({ growthMb: kind === "steps" ? await steps() : await sessions() }));
