/** What a network must do to be trained, saved and run like those of geolearn. */

import { type HostTensor, openOnnxSession, parseOnnxModel } from "@geolearn/engine";
import {
  encodeModelPackage,
  loadNetwork,
  type Network,
  type NetworkOutputs,
  packageContent,
  readModelPackage,
  toOnnx,
} from "@geolearn/models";
import * as tf from "@tensorflow/tfjs";

import { failed, type ImageSize, shapeOf, type Subject } from "./subject.ts";

/** One check: its name as a sentence about the network, and what it does. */
export interface Check {
  readonly name: string;
  run(subject: Subject): Promise<void>;
}

/** All checks, cheap ones first. */
export const checks: readonly Check[] = [
  { name: "is built for any number of bands and classes", run: buildsForShapes },
  { name: "names its parameters alike each time it is built", run: namesStay },
  { name: "draws its first weights from the seed", run: seedDecides },
  { name: "gives every pixel scores that are probabilities", run: scoresAreProbabilities },
  { name: "scores an image alike whatever else is in the batch", run: imagesAreIndependent },
  { name: "takes every size that is a multiple of its stride", run: sizesByStride },
  { name: "has a loss that is a finite number", run: lossIsFinite },
  { name: "does not count pixels without a label", run: ignoredPixelsDoNotCount },
  { name: "lets a gradient reach every trainable parameter", run: gradientsReach },
  { name: "learns: some steps lower the loss", run: learns },
  { name: "leaves no tensors behind", run: leavesNothing },
  { name: "has all it knows in its weights", run: weightsAreAll },
  { name: "comes back from its model package", run: packageKeepsIt },
  { name: "gives the same scores as an ONNX file", run: onnxAgrees },
];

async function buildsForShapes(subject: Subject): Promise<void> {
  for (const shape of subject.options.shapes) {
    const what = `for ${shape.bands} bands and ${shape.classes} classes`;
    await subject.with(
      async (network) => {
        const size = subject.size(network);
        const { images } = subject.batch(network, size);
        await subject.scores(network, images, size).catch((cause: unknown) => {
          throw failed(
            `The network ${what} does not run: ${messageOf(cause)}`,
            "Take `bands` and `classes` from what `build` is given.",
            cause,
          );
        });
      },
      { shape },
    );
  }
}

async function namesStay(subject: Subject): Promise<void> {
  const names = (): Promise<string[]> => subject.with(({ parameters }) => parameters.map(({ name }) => name));
  const [first, second] = [await names(), await names()];
  const at = first.findIndex((name, i) => name !== second[i]);
  if (at < 0 && first.length === second.length) return;
  throw failed(
    `A parameter is "${first[at]}" in one build and "${second[at]}" in the next`,
    "Name variables by their place in the network, without counters that go on through the process.",
  );
}

async function seedDecides(subject: Subject): Promise<void> {
  const weights = (seed: number): Promise<Map<string, HostTensor>> => subject.with((network) => network.weights(), { seed });
  const [first, again, other] = [await weights(1), await weights(1), await weights(2)];
  const differing = (a: ReadonlyMap<string, HostTensor>, b: ReadonlyMap<string, HostTensor>): string[] =>
    [...a].filter(([name, { data }]) => !sameValues(data, b.get(name)?.data)).map(([name]) => name);
  const loose = differing(first, again);
  if (loose.length > 0) {
    throw failed(
      `With one seed ${listed(loose)} begin with other values each time`,
      "Give every initializer that draws a seed made from `seed`, e.g. tf.initializers.heNormal({ seed }).",
    );
  }
  if (differing(first, other).length === 0)
    throw failed("Seeds 1 and 2 give the same first weights", "Make the seeds of the initializers from `seed`, which `build` is given.");
}

async function scoresAreProbabilities(subject: Subject): Promise<void> {
  await subject.withTrained(async (network) => {
    const size = subject.size(network);
    const { images } = subject.batch(network, size);
    const { values, shape } = await subject.scores(network, images, size);
    checkShape(network, shape, 2, size);
    const { classes } = shapeOf(network);
    const mend = "Let `decode` give numbers from 0 to 1 that are 1 in all for each pixel, as tf.softmax(logits, -1) does.";
    for (let at = 0; at < values.length; at += classes) {
      const pixel = values.subarray(at, at + classes);
      const sum = pixel.reduce((a, b) => a + b, 0);
      // Sums of float32 scores are off by some units of the seventh digit.
      if (pixel.every((v) => v >= 0 && v <= 1 + 1e-6) && Math.abs(sum - 1) <= 1e-4) continue;
      throw failed(`A pixel has the scores ${[...pixel].map((v) => v.toPrecision(4)).join(", ")}, ${sum.toPrecision(6)} in all`, mend);
    }
  });
}

async function imagesAreIndependent(subject: Subject): Promise<void> {
  await subject.withTrained(async (network) => {
    const size = subject.size(network);
    const { images } = subject.batch(network, size);
    const half = images.length / 2;
    const loud = images.map((value, i) => (i < half ? value : 1000 - 9 * value));
    const [calm, beside] = [await subject.scores(network, images, size), await subject.scores(network, loud, size)];
    const apart = greatestDifference(calm.values.subarray(0, calm.values.length / 2), beside.values.subarray(0, beside.values.length / 2));
    // Another place in the batch may be summed in another order.
    if (apart <= 1e-5) return;
    throw failed(
      `With \`training: false\` the scores of an image change by ${apart.toPrecision(2)} when the other image of the batch does`,
      "Pass `training` on to batch norms and dropout: with false they use stored statistics and draw nothing.",
    );
  });
}

async function sizesByStride(subject: Subject): Promise<void> {
  await subject.with(async (network) => {
    const least = subject.smallest(network);
    const { stride } = network;
    for (const [height, width] of [
      [least, least],
      [least, least + stride],
      [least + 2 * stride, least + 4 * stride],
    ] as const) {
      // prettier-ignore
      const size = { height, width };
      const mend = `Declare the right \`stride\` (${stride} now) and \`margin\` (${network.margin} now), or give outputs of that size.`;
      const { images } = subject.batch(network, size);
      const { shape } = await subject.scores(network, images, size).catch((cause: unknown) => {
        throw failed(`Images of ${width} x ${height} pixels are not taken: ${messageOf(cause)}`, mend, cause);
      });
      checkShape(network, shape, 2, size);
    }
  });
}

async function lossIsFinite(subject: Subject): Promise<void> {
  await subject.with(async (network) => {
    const batch = subject.batch(network, subject.size(network));
    const unlabelled = { ...batch, targets: batch.targets.map(() => -1) };
    for (const [given, what] of [
      [batch, "a batch"],
      [unlabelled, "a batch without any label"],
    ] as const) {
      // prettier-ignore
      const { loss } = await subject.losses(network, given, (outputs, indices) => ({ loss: subject.loss(network, outputs, indices) }));
      if (Number.isFinite(loss)) continue;
      throw failed(`The loss of ${what} is ${loss}`, "Divide by tf.maximum(count, 1), and take logarithms of nothing that can be 0.");
    }
  });
}

async function ignoredPixelsDoNotCount(subject: Subject): Promise<void> {
  await subject.with(async (network) => {
    const { height, width } = subject.size(network);
    const batch = subject.batch(network, { height, width });
    // The left half of the first image and the whole second one bear no label.
    const targets = batch.targets.map((t, p) => (p >= height * width || p % width < width / 2 ? -1 : t));
    const { before, after } = await subject.losses(network, { ...batch, targets }, (outputs, indices) => ({
      before: subject.loss(network, outputs, indices),
      after: subject.loss(network, disturbed(outputs, indices), indices),
    }));
    // Sums in float32 may come out differently in the seventh digit.
    if (Math.abs(before! - after!) <= 1e-5 * Math.max(1, Math.abs(before!))) return;
    throw failed(
      `The loss goes from ${before!.toPrecision(6)} to ${after!.toPrecision(6)} when only outputs at pixels without a label change`,
      "Multiply what each pixel adds by tf.cast(tf.greaterEqual(classIndices, 0), 'float32').",
    );
  });
}

/** The same outputs, but for pixels without a label; maps of another size change where a whole image has none. */
function disturbed(outputs: NetworkOutputs, classIndices: tf.Tensor3D): NetworkOutputs {
  const [n, height, width] = classIndices.shape;
  const unlabelled = tf.cast(tf.less(classIndices, 0), "float32");
  const change = (x: tf.Tensor): tf.Tensor => {
    if (x.shape[0] !== n) return x;
    const sameSize = x.rank >= 3 && x.shape[1] === height && x.shape[2] === width;
    const sides = [n, ...(sameSize ? [height, width] : []), ...Array<number>(x.rank - (sameSize ? 3 : 1)).fill(1)];
    const where = tf.reshape(sameSize ? unlabelled : tf.min(unlabelled, [1, 2]), sides);
    return tf.add(x, tf.mul(where, tf.mul(3, tf.sin(tf.add(tf.mul(x, 97), 1)))));
  };
  if (Array.isArray(outputs)) return (outputs as tf.Tensor[]).map(change);
  if (outputs instanceof tf.Tensor) return change(outputs);
  return Object.fromEntries(Object.entries(outputs as Record<string, tf.Tensor>).map(([name, x]) => [name, change(x)]));
}

async function gradientsReach(subject: Subject): Promise<void> {
  await subject.with(async (network) => {
    const before = network.weights();
    await subject.train(network, 3);
    const after = network.weights();
    const still = network.parameters.filter(
      ({ name, trainable }) => trainable && sameValues(before.get(name)!.data, after.get(name)?.data),
    );
    if (still.length === 0) return;
    throw failed(
      `Three steps of training leave ${listed(still.map(({ name }) => name))} as they were`,
      "Let the loss depend on them, or make them with `trainable: false`.",
    );
  });
}

async function learns(subject: Subject): Promise<void> {
  await subject.with(async (network) => {
    const { steps, lr } = subject.options;
    const losses = await subject.train(network, steps, { lr, same: true });
    const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
    const [first, last] = [mean(losses.slice(0, 2)), mean(losses.slice(-2))];
    if (last < first - 0.05 * Math.abs(first)) return;
    throw failed(
      `On one batch the loss goes from ${first.toPrecision(4)} to ${last.toPrecision(4)} in ${steps} steps at learning rate ${lr}`,
      "Look at the loss and its gradient; a deep network may want another `lr` or more `steps` in the options of this suite.",
    );
  });
}

async function leavesNothing(subject: Subject): Promise<void> {
  const life = (): Promise<void> =>
    subject.with(async (network) => {
      const size = subject.size(network);
      const batch = subject.batch(network, size);
      await subject.scores(network, batch.images, size);
      await subject.losses(network, batch, (outputs, indices) => ({ loss: subject.loss(network, outputs, indices) }));
    });
  // What is made once for the process is made in the first life.
  await life();
  const before = tf.memory().numTensors;
  await life();
  const left = tf.memory().numTensors - before;
  if (left === 0) return;
  throw failed(`A network that was built, run and disposed leaves ${left} tensors`, "Free in `dispose` what `build` makes besides its variables, and keep nothing by tf.keep."); // prettier-ignore
}

async function weightsAreAll(subject: Subject): Promise<void> {
  await subject.withTrained(async (network) => {
    const size = subject.size(network);
    const { images } = subject.batch(network, size);
    const expected = await subject.scores(network, images, size);
    const weights = network.weights();
    await subject.with(
      async (other) => {
        other.setWeights(weights);
        const { values } = await subject.scores(other, images, size);
        const apart = greatestDifference(values, expected.values);
        if (apart <= 1e-6) return;
        throw failed(
          `Another network with the same weights gives scores that differ by ${apart.toPrecision(2)}`,
          "List every variable in `variables`, also those that are not trained, and keep no state elsewhere.",
        );
      },
      { seed: 2 },
    );
  });
}

async function packageKeepsIt(subject: Subject): Promise<void> {
  await subject.withTrained(async (network) => {
    const size = subject.size(network);
    const { images } = subject.batch(network, size);
    const expected = await subject.scores(network, images, size);
    const mend =
      "`resolve` must give the same settings again when it is given its own result, and settings must say all that `build` needs.";
    const bytes = await encodeModelPackage(packageContent(network, subject.manifest(network)));
    const pkg = await readModelPackage(bytes);
    let again: Network;
    try {
      again = loadNetwork(pkg, { task: "pixelClassification" });
    } catch (cause) {
      throw failed(`The network cannot be built again from its package: ${messageOf(cause)}`, mend, cause);
    }
    try {
      const { values } = await subject.scores(again, images, size);
      const apart = greatestDifference(values, expected.values);
      if (JSON.stringify(again.config) === JSON.stringify(network.config) && apart <= 1e-6) return;
      throw failed(`The network from the package has other settings, or scores that differ by ${apart.toPrecision(2)}`, mend);
    } finally {
      again.dispose();
    }
  });
}

async function onnxAgrees(subject: Subject): Promise<void> {
  await subject.withTrained(async (network) => {
    const size = subject.size(network);
    const { images } = subject.batch(network, size);
    const expected = await subject.scores(network, images, size);
    const manifest = subject.manifest(network);
    const bytes = packageContent(network, manifest).onnx ?? toOnnx(network, manifest).bytes;
    const session = await openOnnxSession(parseOnnxModel(bytes, "the exported network"));
    try {
      const each = images.length / 2;
      for (let n = 0; n < 2; n++) {
        const image = channelsFirst(images.subarray(n * each, (n + 1) * each), shapeOf(network).bands, size);
        const [scores] = Object.values(await session.run({ [session.inputs[0]!.name]: image }));
        const found = channelsLast(scores!);
        const apart = greatestDifference(found, expected.values.subarray(n * found.length, (n + 1) * found.length));
        // The exported graph is optimised differently; what the network says must be the same to four digits.
        if (apart <= 1e-4) continue;
        throw failed(
          `The scores of the ONNX file differ by ${apart.toPrecision(2)}`,
          "`forward` and `decode` must do the same each time they are called, and depend on nothing but images and variables.",
        );
      }
    } finally {
      await session.dispose();
    }
  });
}

function checkShape(network: Network, shape: readonly number[], images: number, { height, width }: ImageSize): void {
  const { margin } = network;
  const expected = [images, height - 2 * margin, width - 2 * margin, shapeOf(network).classes];
  if (shape.join() === expected.join()) return;
  throw failed(
    `Scores of images of ${width} x ${height} pixels are [${shape.join(", ")}], [${expected.join(", ")}] is expected`,
    "Give a score for each class and pixel, but for `margin` pixels at each border.",
  );
}

function sameValues(a: HostTensor["data"], b: HostTensor["data"] | undefined): boolean {
  return b !== undefined && a.length === b.length && a.every((value, i) => Object.is(value, b[i]));
}

function greatestDifference(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) return Infinity;
  let greatest = 0;
  for (let i = 0; i < a.length; i++) {
    const apart = Math.abs(a[i]! - b[i]!);
    if (!(apart <= greatest)) greatest = apart;
  }
  return greatest;
}

function channelsFirst(pixels: Float32Array, bands: number, { height, width }: ImageSize): HostTensor {
  const data = new Float32Array(pixels.length);
  const plane = height * width;
  for (let p = 0; p < plane; p++) for (let b = 0; b < bands; b++) data[b * plane + p] = pixels[p * bands + b]!;
  return { data, shape: [1, bands, height, width], dtype: "float32" };
}

function channelsLast({ data, shape }: HostTensor): Float32Array {
  const [, channels, height, width] = shape as readonly [number, number, number, number];
  const plane = height * width;
  const values = new Float32Array(data.length);
  for (let p = 0; p < plane; p++) for (let c = 0; c < channels; c++) values[p * channels + c] = data[c * plane + p]!;
  return values;
}

function listed(names: readonly string[]): string {
  return names.length > 6 ? `${names.slice(0, 6).join(", ")} and ${names.length - 6} more` : names.join(", ");
}

/** An error in words, with its hint. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { hint } = error as { hint?: unknown };
  return typeof hint === "string" ? `${error.message} ${hint}` : error.message;
}
