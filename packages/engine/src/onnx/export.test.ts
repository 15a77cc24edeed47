import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import {
  type ExportOnnxOptions,
  type HostTensor,
  type TensorMap,
  batchNorm,
  compile,
  conv2d,
  exportOnnx,
  groupNorm,
  maxPool,
  openOnnxSession,
  parseOnnxModel,
  resizeBilinear,
  startEngine,
  upsampleNearest,
} from "../index.ts";
import { pythonPresent, runInPython } from "../testing/python.ts";

beforeAll(async () => {
  await startEngine({ threads: 1 });
});

const batch = { name: "batch", examples: [1, 2] } as const;
const height = { name: "height", examples: [16, 24] } as const;
const width = { name: "width", examples: [24, 16] } as const;

const noise = (size: number, seed: number): Float32Array =>
  Float32Array.from({ length: size }, (_, i) => (Math.imul(i + seed * 7919, 2654435761) >>> 8) / 2 ** 23 - 1);
const image = (shape: number[], seed = 1): HostTensor => ({ data: noise(shape.reduce((a, b) => a * b), seed), shape, dtype: "float32" }); // prettier-ignore

function variable(shape: number[], seed: number, positive = false): tf.Variable {
  const values = image(shape, seed).data as Float32Array;
  const tensor = tf.tensor(positive ? values.map((v) => 1 + 0.3 * v) : values, shape);
  const made = tf.variable(tensor);
  tensor.dispose();
  return made;
}

/** `[N, H, W, C]` to `[N, C, H, W]`. */
function toFirst({ data, shape }: HostTensor): HostTensor {
  const [n, h, w, c] = shape as [number, number, number, number];
  const out = new Float32Array(data.length);
  for (let i = 0; i < n; i++)
    for (let p = 0; p < h * w; p++) for (let k = 0; k < c; k++) out[(i * c + k) * h * w + p] = data[(i * h * w + p) * c + k]!;
  return { data: out, shape: [n, c, h, w], dtype: "float32" };
}

function expectClose(found: HostTensor, expected: HostTensor, tolerance: number): void {
  expect(found.shape).toEqual(expected.shape);
  let worst = 0;
  for (let i = 0; i < expected.data.length; i++) worst = Math.max(worst, Math.abs(found.data[i]! - expected.data[i]!));
  expect(worst).toBeLessThan(tolerance);
}

interface Net {
  readonly fn: (inputs: TensorMap) => TensorMap;
  readonly channels: number;
  readonly names?: Map<tf.Variable, string>;
}

function smallNet(norm: "batch" | "group"): Net {
  const names = new Map<tf.Variable, string>();
  const named = (name: string, shape: number[], positive = false): tf.Variable => {
    const made = variable(shape, names.size + 1, positive);
    names.set(made, name);
    return made;
  };
  const filter = named("down.conv.weight", [3, 3, 3, 8]);
  const [scale, offset, mean, spread] = ["weight", "bias", "running_mean", "running_var"].map((part, i) => named(`down.norm.${part}`, [8], i % 3 === 0)); // prettier-ignore
  const head = named("head.weight", [1, 1, 11, 2]);
  const bias = named("head.bias", [2]);
  return {
    channels: 3,
    names,
    fn: ({ input }) => {
      const x = input as tf.Tensor4D;
      const conv = conv2d(x, filter as unknown as tf.Tensor4D, { pad: 1 });
      const normal =
        norm === "batch"
          ? batchNorm(conv, { scale: scale!, offset: offset!, mean: mean!, variance: spread!, training: false, activation: "relu" })
          : groupNorm(conv, { scale: scale!, offset: offset!, groups: 4, activation: "relu" });
      const up = upsampleNearest(maxPool(normal, 2), 2);
      const joined = tf.concat([up, x], 3) as tf.Tensor4D;
      const logits = conv2d(joined, head as unknown as tf.Tensor4D, { bias: bias as tf.Tensor });
      const [n, h, w] = logits.shape;
      return { output: tf.softmax(tf.slice4d(logits, [0, 2, 2, 0], [n, h - 4, w - 4, 2]), -1) };
    },
  };
}

const dynamic = (channels: number): ExportOnnxOptions["inputs"] => ({
  input: { shape: [batch, height, width, channels], dtype: "float32" },
});

async function ours(fn: Net["fn"], input: HostTensor): Promise<HostTensor> {
  const compiled = compile(fn, { inputs: { input: { shape: input.shape, dtype: "float32" } } });
  const { output } = await compiled.run({ input: input.data });
  await compiled.dispose();
  return output!;
}

describe.each(["batch", "group"] as const)("a network with %s norm", (norm) => {
  const inputs = [image([1, 16, 24, 3]), image([3, 40, 8, 3], 2)];

  test("runs at other sizes and batches, natively and from Node", async () => {
    const net = smallNet(norm);
    const { bytes, opset } = exportOnnx(net.fn, { inputs: dynamic(3), names: net.names! });
    expect(opset).toBe(18);
    const model = parseOnnxModel(bytes);
    expect(model.graph.inputs[0]!.dims).toEqual(["batch", 3, "height", "width"]);
    expect(model.graph.outputs[0]).toEqual({ name: "output", type: "float32", dims: ["batch", 2, "output_2", "output_3"] });
    expect(new Set(model.graph.nodes.map(({ domain }) => domain))).toEqual(new Set([""]));
    const session = await openOnnxSession(model);
    for (const input of inputs) {
      const { output } = await session.run({ input: toFirst(input) });
      // Sums of group norm are folded differently: float32 rounding of about a thousand terms.
      expectClose(output!, toFirst(await ours(net.fn, input)), 1e-5);
    }
    await session.dispose();
    await expect(session.run({ input: toFirst(inputs[0]!) })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  test.skipIf(!pythonPresent)("is sound for onnx.checker and gives the same in Python (needs the Python peers)", async () => {
    const net = smallNet(norm);
    const { bytes } = exportOnnx(net.fn, { inputs: dynamic(3), names: net.names!, metadata: { note: "grün" } });
    const python = runInPython(
      bytes,
      inputs.map((input) => ({ input: toFirst(input) })),
    );
    expect(python).toMatchObject({ domains: [""], opsets: { "": 18 }, metadata: { note: "grün" } });
    expect(python.inputs[0]!.dims).toEqual(["batch", 3, "height", "width"]);
    for (const [i, input] of inputs.entries()) expectClose(python.runs[i]!["output"]!, toFirst(await ours(net.fn, input)), 1e-4);
  });

  test("keeps weights as initializers under their names, kernels as [out, in, height, width]", () => {
    const net = smallNet(norm);
    const { graph } = parseOnnxModel(exportOnnx(net.fn, { inputs: dynamic(3), names: net.names! }).bytes);
    const tensors = new Map(graph.initializers.map((tensor) => [tensor.name, tensor]));
    expect(tensors.get("down.conv.weight")!.dims).toEqual([8, 3, 3, 3]);
    expect(tensors.get("head.weight")!.dims).toEqual([2, 11, 1, 1]);
    const [filter] = [...net.names!.keys()];
    const kept = filter!.dataSync();
    const written = tensors.get("down.conv.weight")!.read().data;
    // [1, 2] of output 5 and input 0: row 1, column 2
    expect(written[(5 * 3 + 0) * 9 + 1 * 3 + 2]).toBe(kept[((1 * 3 + 2) * 3 + 0) * 8 + 5]);
    expect(graph.nodes.map(({ name }) => name)).toContain("down.conv");
    // Group norm transposes its statistics, a few numbers per image.
    if (norm === "batch") expect(graph.nodes.map(({ type }) => type)).not.toContain("Transpose");
  });
});

describe("free sides", () => {
  test("are refused where the graph depends on the size", () => {
    const fn = ({ input }: TensorMap): TensorMap => ({ output: tf.mul(input!, input!.shape[1]!) });
    expect(() => exportOnnx(fn, { inputs: dynamic(2) })).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }) as Error);
    const fixed = exportOnnx(fn, { inputs: { input: { shape: [1, 16, 24, 2], dtype: "float32" } } });
    expect(fixed.inputs[0]!.dims).toEqual([1, 2, 16, 24]);
  });

  test("hold for resizing by a factor, in every convention, with a free batch", async () => {
    const cases: [string, (x: tf.Tensor4D) => tf.Tensor4D][] = [
      ["half pixels", (x) => resizeBilinear(x, [x.shape[1] * 2, x.shape[2] * 2])],
      ["asymmetric", (x) => tf.image.resizeBilinear(x, [x.shape[1] * 2, x.shape[2] * 2])],
      ["nearest, half pixels", (x) => tf.image.resizeNearestNeighbor(x, [x.shape[1] / 2, x.shape[2] / 2], false, true)],
      ["nearest", (x) => tf.image.resizeNearestNeighbor(x, [x.shape[1] / 2, x.shape[2] / 2])],
    ];
    for (const [name, resize] of cases) {
      const fn = ({ input }: TensorMap): TensorMap => ({ output: resize(input as tf.Tensor4D) });
      const session = await openOnnxSession(parseOnnxModel(exportOnnx(fn, { inputs: dynamic(2) }).bytes));
      const input = image([3, 8, 32, 2]);
      const { output } = await session.run({ input: toFirst(input) });
      expectClose(output!, toFirst(await ours(fn, input)), 1e-5);
      await session.dispose();
      expect(name).toBeTruthy();
    }
  });

  test("a size that is no factor is written as it is", async () => {
    for (const [align, half] of [
      [false, true],
      [true, false],
      [false, false],
    ] as const) {
      for (const resize of [tf.image.resizeBilinear, tf.image.resizeNearestNeighbor]) {
        const fn = ({ input }: TensorMap): TensorMap => ({ output: resize(input as tf.Tensor4D, [7, 11], align, half) });
        const input = image([1, 5, 8, 2]);
        const session = await openOnnxSession(
          parseOnnxModel(exportOnnx(fn, { inputs: { input: { shape: [1, 5, 8, 2], dtype: "float32" } } }).bytes),
        );
        const { output } = await session.run({ input: toFirst(input) });
        expectClose(output!, toFirst(await ours(fn, input)), 1e-5);
        await session.dispose();
      }
    }
  });
});

test("layouts other than images stay, and state is refused", async () => {
  const fn = ({ x }: TensorMap): TensorMap => ({ y: tf.sum(tf.mul(x!, 2), 1), z: tf.reshape(x!, [x!.shape[0]!, 3, 2]) });
  const exported = exportOnnx(fn, { inputs: { x: { shape: [batch, 6], dtype: "float32" } }, name: "sums" });
  expect(exported.outputs.map(({ dims }) => dims)).toEqual([["batch"], ["batch", 3, 2]]);
  const session = await openOnnxSession(parseOnnxModel(exported.bytes));
  const { y, z } = await session.run({
    x: { data: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12), shape: [2, 6], dtype: "float32" },
  });
  expect([...y!.data]).toEqual([42, 114]);
  expect(z!.shape).toEqual([2, 3, 2]);
  await expect(session.run({})).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  await session.dispose();
  const counter = tf.variable(tf.zeros([2]));
  const assigning = ({ x }: TensorMap): TensorMap => {
    counter.assign(tf.mul(x!, 2));
    return { y: tf.relu(x!) };
  };
  expect(() => exportOnnx(assigning, { inputs: { x: { shape: [2], dtype: "float32" } } })).toThrow("keep state");
});
