/** The peer of the tfjs-node figure: the plain U-Net written with tfjs's own operations and optimizer, on libtensorflow. Prints one JSON line. */

import { createRequire } from "node:module";
import { join } from "node:path";
import { performance } from "node:perf_hooks";

import type * as TfjsNode from "@tensorflow/tfjs";

import { median } from "./bench.ts";
import type { StepSettings } from "./engine-step-program.ts";

const [folder, settings] = process.argv.slice(2);
const { base, depth, batch, size, steps, bands, classes } = JSON.parse(settings!) as StepSettings;

const tf = createRequire(join(folder!, "index.js"))("@tensorflow/tfjs-node") as typeof TfjsNode;

type Image = TfjsNode.Tensor4D;
type Layer = (x: Image) => Image;

const variables: TfjsNode.Variable[] = [];

function variable(shape: number[], value: number | null): TfjsNode.Variable {
  const fans = shape.slice(0, -1).reduce((product, side) => product * side, 1);
  const made = tf.tidy(() => tf.variable(value === null ? tf.randomNormal(shape, 0, Math.sqrt(2 / fans)) : tf.fill(shape, value)));
  variables.push(made);
  return made;
}

function conv(inputs: number, outputs: number, side: number, bias: boolean): Layer {
  const filter = variable([side, side, inputs, outputs], null) as unknown as Image;
  const offset = bias ? variable([outputs], 0) : null;
  return (x) => {
    const out = tf.conv2d(x, filter, 1, "same");
    return offset === null ? out : (tf.add(out, offset) as Image);
  };
}

/** Batch norm of this batch, and ReLU. */
function norm(channels: number): Layer {
  const [scale, offset] = [variable([channels], 1), variable([channels], 0)] as unknown as [TfjsNode.Tensor1D, TfjsNode.Tensor1D];
  return (x) => {
    const { mean, variance } = tf.moments(x, [0, 1, 2]);
    return tf.relu(tf.batchNorm4d(x, mean as TfjsNode.Tensor1D, variance as TfjsNode.Tensor1D, offset, scale, 1e-5));
  };
}

const chain =
  (...layers: Layer[]): Layer =>
  (x) =>
    layers.reduce((image, layer) => layer(image), x);

const doubleConv = (inputs: number, outputs: number): Layer =>
  chain(conv(inputs, outputs, 3, false), norm(outputs), conv(outputs, outputs, 3, false), norm(outputs));

function unet(): Layer {
  const widths = Array.from({ length: depth }, (_, i) => base * 2 ** i);
  const down = widths.map((width, i) => doubleConv(i === 0 ? bands : widths[i - 1]!, width));
  const middle = doubleConv(widths[depth - 1]!, base * 2 ** depth);
  const up = widths.toReversed().map((width) => ({ narrow: conv(2 * width, width, 1, true), convs: doubleConv(2 * width, width) }));
  const head = conv(base, classes, 1, true);
  return (image) => {
    const maps: Image[] = [];
    let x = image;
    for (const level of down) {
      x = level(x);
      maps.push(x);
      x = tf.maxPool(x, 2, 2, "valid");
    }
    x = middle(x);
    for (const { narrow, convs } of up) {
      const skip = maps.pop()!;
      const large = tf.image.resizeNearestNeighbor(narrow(x), [skip.shape[1], skip.shape[2]]);
      x = convs(tf.concat([skip, large], 3));
    }
    return head(x);
  };
}

async function main(): Promise<void> {
  await tf.ready();
  if (tf.getBackend() !== "tensorflow") throw new Error(`tfjs runs on ${tf.getBackend()}`);
  const network = unet();
  const adam = tf.train.adam(1e-3);
  const x = tf.tensor4d(Float32Array.from({ length: batch * size * size * bands }, (_, i) => Math.sin(i * 12.9898) * 1.4), [batch, size, size, bands]); // prettier-ignore
  const y = tf.tensor3d(Int32Array.from({ length: batch * size * size }, (_, i) => Math.floor(i * 0.618) % classes), [batch, size, size], "int32"); // prettier-ignore
  const hot = tf.oneHot(y, classes);
  const times: number[] = [];
  for (let step = 1; step <= steps + 2; step++) {
    const start = performance.now();
    const loss = adam.minimize(() => tf.losses.softmaxCrossEntropy(hot, network(x)) as TfjsNode.Scalar, true, variables)!;
    await loss.data();
    loss.dispose();
    if (step > 2) times.push((performance.now() - start) / batch);
  }
  const params = variables.reduce((sum, each) => sum + each.size, 0);
  console.log(JSON.stringify({ params, trainMsPerImage: median(times) }));
}

await main();
