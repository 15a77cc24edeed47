import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GeoLearnError } from "@geolearn/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type AttributeValue, MessageWriter, encodeModel } from "./encode.ts";
import { parseOnnxModel } from "./parse.ts";
import { readOnnxModel, readOnnxWeights } from "./read.ts";

interface Fixture {
  readonly file: string;
  readonly values: Record<string, number[]>;
}
const fixtures = JSON.parse(readFileSync(new URL("./fixtures/files.json", import.meta.url), "utf8")) as Record<string, Fixture>;
const bytesOf = (name: string): Uint8Array => new Uint8Array(Buffer.from(fixtures[name]!.file, "base64"));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "onnx-read-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("files of the onnx package and of PyTorch", () => {
  test("every number type, typed and raw, has numpy's values", async () => {
    const { tensors, metadata } = await readOnnxWeights(bytesOf("types"));
    const { values } = fixtures["types"]!;
    expect([...tensors.keys()]).toEqual(Object.keys(values));
    for (const [name, expected] of Object.entries(values)) expect([...tensors.get(name)!.data], name).toEqual(expected);
    expect(tensors.get("BOOL.raw")).toMatchObject({ dtype: "bool", shape: [2, 2] });
    expect(tensors.get("INT64.typed")).toMatchObject({ dtype: "int32", shape: [2, 2] });
    expect(tensors.get("empty")).toMatchObject({ dtype: "float32", shape: [0, 3] });
    expect(Object.fromEntries(metadata)).toEqual({ model_type: '"Segmentor"', note: "grün" });
  });

  test("inputs, free sides, operator sets, nodes", async () => {
    const { graph, opsets, irVersion } = await readOnnxModel(bytesOf("types"));
    expect(graph.inputs).toEqual([{ name: "x", type: "float32", dims: ["batch", 3, null, 8] }]);
    expect(graph.outputs[0]!.name).toBe("y");
    expect(Object.fromEntries(opsets)).toEqual({ "": 18, "ai.onnx.ml": 3 });
    expect(irVersion).toBe(9);
    expect(graph.nodes).toMatchObject([{ name: "plus", type: "Add", domain: "", inputs: ["x", "scalar"], outputs: ["y"] }]);
  });

  test("subgraphs that use values from outside", async () => {
    const { graph } = await readOnnxModel(bytesOf("branches"));
    expect(graph.nodes[0]!.subgraphs.map((inner) => inner.nodes.map((node) => node.type))).toEqual([
      ["Constant", "Mul"],
      ["Constant", "Mul"],
    ]);
  });

  test("PyTorch's parameter names and values", async () => {
    const path = join(folder, "net.onnx");
    await writeFile(path, bytesOf("torch"));
    const { tensors } = await readOnnxWeights(path);
    for (const [name, expected] of Object.entries(fixtures["torch"]!.values)) expect([...tensors.get(name)!.data], name).toEqual(expected);
    expect(tensors.get("0.weight")!.shape).toEqual([4, 3, 3, 3]);
    expect((await readOnnxModel(path)).graph.inputs[0]!.dims).toEqual(["batch", 3, 8, 8]);
  });

  test("what the engine writes", () => {
    const { graph } = parseOnnxModel(
      small({ nodes: [node("Softmax", ["x"], ["y"], { axis: -1, note: "text", list: [1, -2], f: { float: 0.5 } })] }),
    );
    expect(Object.fromEntries(graph.nodes[0]!.attributes)).toEqual({
      axis: { kind: "number", value: -1 },
      note: { kind: "text", value: "text" },
      list: { kind: "numbers", value: [1, -2] },
      f: { kind: "number", value: 0.5 },
    });
  });
});

type Nodes = Parameters<typeof encodeModel>[0]["nodes"];
type Initializers = Parameters<typeof encodeModel>[0]["initializers"];
let counter = 0;
const node = (
  type: string,
  inputs: string[],
  outputs: string[],
  attributes: Record<string, AttributeValue> = {},
  domain = "",
): Nodes[number] => ({ name: `${type}${counter++}`, type, domain, inputs, outputs, attributes });
const ints = (name: string, values: readonly bigint[]): Initializers[number] => ({
  name,
  type: "int64",
  dims: [values.length],
  bytes: new Uint8Array(BigInt64Array.from(values).buffer),
});
const port = (name: string): { name: string; type: "float32"; dims: number[] } => ({ name, type: "float32", dims: [2] });

/** A model of some nodes from x to y. */
function small({ nodes, initializers = [] }: { nodes: Nodes; initializers?: Initializers }): Uint8Array {
  return encodeModel({ nodes, initializers, inputs: [port("x")], outputs: [port("y")], opsets: { "": 18 } });
}

/** The same, with more fields in the graph and in the model. */
function withFields(graphFields: (graph: MessageWriter) => void, modelFields: (model: MessageWriter) => void = () => {}): Uint8Array {
  const model = new MessageWriter();
  model.integer(1, 9).message(7, (graph) => {
    graph.message(1, (inner) => inner.text(1, "x").text(2, "y").text(4, "Relu"));
    graph.message(11, (inner) => inner.text(1, "x")).message(12, (inner) => inner.text(1, "y"));
    graphFields(graph);
  });
  modelFields(model);
  return model.finish();
}

const tensorField =
  (fill: (tensor: MessageWriter) => void) =>
  (graph: MessageWriter): void =>
    void graph.message(5, (tensor) => fill(tensor.text(8, "w")));

const external = (location: string, offset?: string, length?: string): Uint8Array =>
  withFields(
    tensorField((tensor) => {
      tensor.integer(1, 3).integer(2, 1).integer(14, 1);
      for (const [key, value] of Object.entries({ location, offset, length }))
        if (value !== undefined) tensor.message(13, (entry) => entry.text(1, key).text(2, value));
    }),
  );

function nested(depth: number): (graph: MessageWriter) => void {
  return (graph) =>
    void graph.message(1, (inner) =>
      inner
        .text(2, `deep${depth}`)
        .text(4, "If")
        .message(5, (attribute) => attribute.text(1, "then_branch").message(6, depth === 0 ? () => {} : nested(depth - 1))),
    );
}

const calls =
  (name: string, called: string, times: number) =>
  (model: MessageWriter): void =>
    void model.message(25, (fn) => {
      fn.text(1, name).text(10, "own");
      for (let i = 0; i < times; i++) fn.message(7, (inner) => inner.text(2, `v${i}`).text(4, called).text(7, "own"));
    });

describe("files made to harm are refused before anything runs them", () => {
  test.each<[string, () => Uint8Array, string]>([
    ["nothing", () => new Uint8Array(0), "MODEL_CORRUPT"],
    ["text", () => new TextEncoder().encode("<html>not found</html>"), "MODEL_CORRUPT"],
    ["a length beyond the file", () => Uint8Array.of(0x3a, 0xff, 0xff, 0xff, 0xff, 0x7f), "MODEL_CORRUPT"],
    ["a negative length", () => Uint8Array.of(0x3a, ...Array<number>(9).fill(0xff), 0x01), "MODEL_CORRUPT"],
    ["a number without end", () => Uint8Array.of(0x08, ...Array<number>(20).fill(0xff)), "MODEL_CORRUPT"],
    ["a protobuf group", () => Uint8Array.of(0x0b, 0x0c), "MODEL_CORRUPT"],
    ["two graphs", () => Uint8Array.of(...withFields(() => {}), 0x3a, 0x00), "MODEL_CORRUPT"],
    ["a name that is not UTF-8", () => withFields((graph) => graph.bytes(2, Uint8Array.of(0xff, 0xfe))), "MODEL_CORRUPT"],
    ["a name of a megabyte", () => withFields((graph) => graph.text(2, "n".repeat(1 << 20))), "MODEL_CORRUPT"],
    ["graphs nested without end", () => withFields(nested(40)), "LIMIT_EXCEEDED"],
    ["sparse tensors", () => withFields((graph) => graph.message(15, () => {})), "UNSUPPORTED_FORMAT"],
    [
      "a circle",
      () => small({ nodes: [node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"]), node("Relu", ["b"], ["y"])] }),
      "MODEL_CORRUPT",
    ],
    ["a node that feeds itself", () => small({ nodes: [node("Add", ["x", "y"], ["y"])] }), "MODEL_CORRUPT"],
    ["a value made twice", () => small({ nodes: [node("Relu", ["x"], ["y"]), node("Abs", ["x"], ["y"])] }), "MODEL_CORRUPT"],
    ["a value nobody makes", () => small({ nodes: [node("Relu", ["z"], ["y"])] }), "MODEL_CORRUPT"],
    ["an output nobody makes", () => small({ nodes: [node("Relu", ["x"], ["z"])] }), "MODEL_CORRUPT"],
    [
      "a tensor twice",
      () => small({ nodes: [node("Relu", ["x"], ["y"])], initializers: [ints("w", [1n]), ints("w", [2n])] }),
      "MODEL_CORRUPT",
    ],
    [
      "a shape no memory holds",
      () =>
        withFields(
          tensorField((t) =>
            t
              .integer(1, 2 ** 40)
              .integer(1, 2 ** 40)
              .integer(2, 1),
          ),
        ),
      "LIMIT_EXCEEDED",
    ],
    ["a negative side", () => withFields(tensorField((t) => t.integer(1, -4).integer(2, 1))), "MODEL_CORRUPT"],
    ["a hundred dimensions", () => withFields(tensorField((t) => Array.from({ length: 100 }, () => t.integer(1, 1)))), "MODEL_CORRUPT"],
    [
      "fewer bytes than the shape takes",
      () => withFields(tensorField((t) => t.integer(1, 3).integer(2, 1).bytes(9, new Uint8Array(8)))),
      "MODEL_CORRUPT",
    ],
    ["no numbers at all", () => withFields(tensorField((t) => t.integer(1, 3).integer(2, 1))), "MODEL_CORRUPT"],
    ["a number type that does not exist", () => withFields(tensorField((t) => t.integer(1, 0).integer(2, 99))), "MODEL_CORRUPT"],
    [
      "tensors in segments",
      () =>
        withFields(
          tensorField((t) =>
            t
              .integer(1, 0)
              .integer(2, 1)
              .message(3, () => {}),
          ),
        ),
      "MODEL_CORRUPT",
    ],
    [
      "a constant that asks for a terabyte",
      () => small({ nodes: [node("ConstantOfShape", ["w"], ["y"])], initializers: [ints("w", [2n ** 20n, 2n ** 20n])] }),
      "LIMIT_EXCEEDED",
    ],
    [
      "a side of 2^62",
      () => small({ nodes: [node("Expand", ["x", "w"], ["y"])], initializers: [ints("w", [2n ** 62n])] }),
      "LIMIT_EXCEEDED",
    ],
    [
      "a tensor repeated a billion times",
      () => small({ nodes: [node("Tile", ["x", "w"], ["y"])], initializers: [ints("w", [10n ** 9n])] }),
      "LIMIT_EXCEEDED",
    ],
    [
      "a border of a billion",
      () => small({ nodes: [node("Pad", ["x", "w"], ["y"])], initializers: [ints("w", [0n, 10n ** 9n])] }),
      "LIMIT_EXCEEDED",
    ],
    [
      "random numbers without end",
      () => small({ nodes: [node("RandomNormal", [], ["y"], { shape: [1 << 20, 1 << 20] })] }),
      "LIMIT_EXCEEDED",
    ],
    ["a function that calls itself", () => withFields(() => {}, calls("f", "f", 1)), "MODEL_CORRUPT"],
    [
      "functions that write out to 10^20 nodes",
      () =>
        withFields(
          () => {},
          (model) => Array.from({ length: 20 }, (_, i) => calls(`f${i}`, `f${i + 1}`, 10)(model)),
        ),
      "LIMIT_EXCEEDED",
    ],
    [
      "training information",
      () =>
        withFields(
          () => {},
          (model) => model.message(20, () => {}),
        ),
      "UNSUPPORTED_FORMAT",
    ],
  ])("%s", (_, make, code) => {
    expect(() => parseOnnxModel(make())).toThrow(expect.objectContaining({ name: "GeoLearnError", code }) as Error);
  });

  test("cut anywhere, and damaged anywhere: a typed error, or a model that still reads", () => {
    for (const name of Object.keys(fixtures)) {
      const good = bytesOf(name);
      const read = (bytes: Uint8Array): void => {
        try {
          for (const tensor of parseOnnxModel(bytes).graph.initializers) tensor.read();
        } catch (error) {
          if (!GeoLearnError.is(error)) throw error;
        }
      };
      for (let length = 0; length < good.length; length++) read(good.subarray(0, length));
      for (let at = 0; at < good.length; at++) {
        for (const flip of [0x01, 0x80, 0xff]) {
          const bad = good.slice();
          bad[at]! ^= flip;
          read(bad);
        }
      }
    }
  });

  test("a file that is not there, and a folder", async () => {
    await expect(readOnnxModel(join(folder, "none.onnx"))).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
    await expect(readOnnxModel(folder)).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
  });
});

describe("tensors in other files", () => {
  test("are read from the model's own folder when that is allowed", async () => {
    const place = join(folder, "allowed");
    await mkdir(join(place, "sub"), { recursive: true });
    const path = join(place, "model.onnx");
    await writeFile(path, external("sub/w.bin", "4", "12"));
    await writeFile(join(place, "sub", "w.bin"), new Uint8Array(Float32Array.of(9, 1, 2, 3, 9).buffer));
    await expect(readOnnxModel(path)).rejects.toMatchObject({
      code: "MODEL_EXTERNAL_DATA",
      hint: expect.stringContaining("externalData") as string,
    });
    const { tensors } = await readOnnxWeights(path, { externalData: true });
    expect([...tensors.get("w")!.data]).toEqual([1, 2, 3]);
    const { bytes } = await readOnnxModel(path, { externalData: true });
    expect([...(await readOnnxWeights(bytes)).tensors.get("w")!.data]).toEqual([1, 2, 3]);
    await expect(readOnnxModel(external("sub/w.bin"), { externalData: true })).rejects.toMatchObject({ code: "MODEL_EXTERNAL_DATA" });
  });

  test.each(["../secret.bin", "/etc/passwd", "sub/../../secret.bin", "..\\secret.bin", "C:/secret.bin", "", "link.bin", "w.bin\0.txt"])(
    "never from %j",
    async (location) => {
      const place = await mkdtemp(join(folder, "outside-"));
      await writeFile(join(folder, "secret.bin"), new Uint8Array(12));
      await symlink(join(folder, "secret.bin"), join(place, "link.bin"));
      const path = join(place, "model.onnx");
      await writeFile(path, external(location));
      await expect(readOnnxModel(path, { externalData: true })).rejects.toMatchObject({ code: "MODEL_CORRUPT" });
    },
  );

  test("that are missing, too short or no file", async () => {
    const place = await mkdtemp(join(folder, "short-"));
    const path = join(place, "model.onnx");
    await writeFile(join(place, "w.bin"), new Uint8Array(12));
    await mkdir(join(place, "folder.bin"));
    for (const [bytes, code] of [
      [external("none.bin"), "FILE_NOT_FOUND"],
      [external("w.bin", "4", "12"), "MODEL_CORRUPT"],
      [external("w.bin", "0", "8"), "MODEL_CORRUPT"],
      [external("w.bin", "-1"), "MODEL_CORRUPT"],
      [external("w.bin", "1e3"), "MODEL_CORRUPT"],
      [external("folder.bin"), "MODEL_CORRUPT"],
    ] as const) {
      await writeFile(path, bytes);
      await expect(readOnnxModel(path, { externalData: true })).rejects.toMatchObject({ code });
    }
  });
});
