import { beforeAll, describe, expect, test } from "vitest";
import { FRAMED_INPUT, FRAMED_OUTPUT, type InputFrame, type OutputFrame, frameOnnxModel, startEngine } from "../index.ts";
import { type OnnxGraph, encodeModel } from "./encode.ts";
import { parseOnnxModel } from "./parse.ts";
import { openOnnxSession } from "./open.ts";

beforeAll(async () => {
  await startEngine({ threads: 1 });
});

type Port = OnnxGraph["inputs"][number];

/** A model of one node, from "x" to "y". */
function oneNode(
  type: string,
  attributes: OnnxGraph["nodes"][number]["attributes"],
  x: Port["dims"],
  y: Port["dims"],
  kind: Port["type"] = "float32",
  out: Port["type"] = kind,
): Uint8Array {
  return encodeModel({
    nodes: [{ name: "only", type, domain: "", inputs: ["x"], outputs: ["y"], attributes }],
    initializers: [],
    inputs: [{ name: "x", type: kind, dims: x }],
    outputs: [{ name: "y", type: out, dims: y }],
    opsets: { "": 18 },
  });
}

const pixels = Float32Array.of(1, 5, 2, 6, 3, 7, 4, 8); // [1, 2, 2, 2], channels 1..4 and 5..8
const shape = [1, 2, 2, 2] as const;

async function run(
  model: Uint8Array,
  input: Partial<InputFrame>,
  output: Partial<OutputFrame>,
): Promise<{ data: number[]; shape: readonly number[] }> {
  const framed = frameOnnxModel(
    parseOnnxModel(model),
    { name: "x", layout: "NCHW", shape, ...input },
    { name: "y", layout: "NCHW", values: "scores", classes: 2, channels: 2, ...output },
  );
  const session = await openOnnxSession(framed);
  const result = (await session.run({ [FRAMED_INPUT]: { data: pixels, shape: input.shape ?? shape, dtype: "float32" } }))[FRAMED_OUTPUT]!;
  await session.dispose();
  return { data: [...result.data], shape: result.shape };
}

describe("pixels in, scores out", () => {
  const identity = oneNode("Identity", {}, ["n", 2, "h", "w"], ["n", 2, "h", "w"]);

  test("channels first and last", async () => {
    expect(await run(identity, {}, {})).toEqual({ data: [...pixels], shape: [1, 2, 2, 2] });
    const last = oneNode("Identity", {}, ["n", "h", "w", 2], ["n", "h", "w", 2]);
    expect(await run(last, { layout: "NHWC" }, { layout: "NHWC" })).toEqual({ data: [...pixels], shape: [1, 2, 2, 2] });
  });

  test("(pixel - offset) / divisor per channel", async () => {
    const { data } = await run(identity, { offset: [1, 2], divisor: [2, 4] }, {});
    expect(data).toEqual([0, 0.75, 0.5, 1, 1, 1.25, 1.5, 1.5]);
  });

  test("logits become softmax, or the two sides of a logistic", async () => {
    const { data } = await run(identity, {}, { values: "logits" });
    for (let i = 0; i < 8; i += 2) expect(data[i]).toBeCloseTo(1 / (1 + Math.exp(4)), 6);
    const first = oneNode("ReduceMean", { keepdims: 1 }, ["n", 2, "h", "w"], ["n", 1, 1, 1]);
    const single = await run(first, {}, { values: "logits", channels: 1 });
    expect(single.shape).toEqual([1, 1, 1, 2]);
    expect(single.data[1]).toBeCloseTo(1 / (1 + Math.exp(-4.5)), 6);
    expect(single.data[0]! + single.data[1]!).toBeCloseTo(1, 6);
  });

  test("one score per pixel, with and without an axis for it", async () => {
    const half = oneNode("ReduceMean", { keepdims: 1 }, ["n", 2, "h", "w"], ["n", 1, 1, 1]);
    expect((await run(half, {}, { channels: 1 })).data).toEqual([1 - 4.5, 4.5]);
    const flat = oneNode("Squeeze", {}, [1, 2, "h", "w"], [2, "h", "w"]);
    expect((await run(flat, {}, { layout: "NHW", channels: 1 })).shape).toEqual([2, 2, 2, 2]);
  });

  test.each([
    ["NHW", 0],
    ["NCHW", 1],
  ] as const)("numbers of classes as %s", async (layout, keepdims) => {
    const best = oneNode(
      "ArgMax",
      { axis: 1, keepdims },
      ["n", 2, "h", "w"],
      keepdims ? ["n", 1, "h", "w"] : ["n", "h", "w"],
      "float32",
      "int64",
    );
    const result = await run(best, {}, { layout, values: "classes", channels: 1, classes: 3 });
    expect(result).toEqual({ data: [0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0], shape: [1, 2, 2, 3] });
  });

  test("a smaller result is enlarged between pixel centres", async () => {
    const result = await run(identity, {}, { enlarge: 2 });
    expect(result.shape).toEqual([1, 4, 4, 2]);
    // First channel, first row: 1, 1.25, 1.75, 2
    expect([0, 2, 4, 6].map((i) => result.data[i])).toEqual([1, 1.25, 1.75, 2]);
  });

  test("other number types, and images without a batch", async () => {
    const bytes = oneNode("Cast", { to: 1 }, ["n", 2, "h", "w"], ["n", 2, "h", "w"], "uint8", "float32");
    expect((await run(bytes, {}, {})).data).toEqual([...pixels]);
    const doubles = oneNode("Identity", {}, ["n", 2, "h", "w"], ["n", 2, "h", "w"], "float64");
    expect((await run(doubles, {}, {})).data).toEqual([...pixels]);
    const single = oneNode("Unsqueeze", {}, [2, "h", "w"], [1, 2, "h", "w"]);
    const { graph } = frameOnnxModel(parseOnnxModel(single), { name: "x", layout: "CHW", shape }, null);
    expect(graph.outputs.map(({ name }) => name)).toEqual(["y"]);
    expect(graph.inputs).toEqual([{ name: FRAMED_INPUT, type: "float32", dims: [1, 2, 2, 2] }]);
  });

  test("names that are not there, old operators, inputs that are no pixels", async () => {
    await expect(run(identity, { name: "image" }, {})).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining('"x"') as string,
    });
    await expect(run(identity, {}, { name: "out" })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    const old = encodeModel({
      nodes: [],
      initializers: [],
      inputs: [{ name: "x", type: "float32", dims: [] }],
      outputs: [],
      opsets: { "": 7 },
    });
    await expect(run(old, {}, {})).rejects.toMatchObject({ code: "UNSUPPORTED_FORMAT" });
    const flags = oneNode("Not", {}, ["n", 2, "h", "w"], ["n", 2, "h", "w"], "bool");
    await expect(run(flags, {}, {})).rejects.toMatchObject({ code: "UNSUPPORTED_FORMAT" });
  });
});
