import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { createRng, GeoLearnError, readZip, writeZip, type ZipInput } from "@geolearn/core";
import { describe, expect, it } from "vitest";

import { type PytorchWeights, parsePytorchLegacy, parsePytorchZip } from "./checkpoint.ts";
import { readPickle } from "./pickle.ts";

const fixtures = new URL("../fixtures/", import.meta.url);
const fixture = async (name: string): Promise<Uint8Array> => new Uint8Array(await readFile(fileURLToPath(new URL(name, fixtures))));

/** Pieces of pickles, by the names of their opcodes. */
const text = (value: string): string => `X${String.fromCharCode(value.length & 255, value.length >> 8, 0, 0)}${value}`;
const global = (module: string, name: string): string => `c${module}\n${name}\n`;
const byte = (value: number): string => `K${String.fromCharCode(value)}`;
const tuple = (...items: string[]): string => `(${items.join("")}t`;
const storage = (key = "0", length = byte(4), type = global("torch", "FloatStorage")): string =>
  `${tuple(text("storage"), type, text(key), text("cpu"), length)}Q`;
const dimensions = (...sides: (number | string)[]): string => tuple(...sides.map((side) => (typeof side === "number" ? byte(side) : side)));
const tensor = (place = byte(0), shape = dimensions(4), strides = dimensions(1), from = storage()): string =>
  `${global("torch._utils", "_rebuild_tensor_v2")}${tuple(from, place, shape, strides, "\x89", `${global("collections", "OrderedDict")})R`)}R`;
const dict = (...items: string[]): string => `}(${items.join("")}u`;
const pickled = (body: string): Uint8Array => Uint8Array.from(Buffer.from(`\x80\x02${body}.`, "latin1"));

const minusTwo = "J\xfe\xff\xff\xff";
const million = "J\x00\x00\x10\x00";

/** A checkpoint with this pickle and one storage "0" of four numbers. */
async function checkpoint(body: string | Uint8Array, more: readonly ZipInput[] = []): Promise<PytorchWeights> {
  const data = typeof body === "string" ? pickled(body) : body;
  const files = [{ name: "a/data.pkl", data }, { name: "a/data/0", data: new Uint8Array(new Float32Array([1, 2, 3, 4]).buffer) }, ...more];
  return parsePytorchZip(await writeZip(null, files), "a.pth");
}

const plain = dict(text("w"), tensor());

describe("a checkpoint", () => {
  it("of one tensor", async () => {
    const { tensors, path } = await checkpoint(plain);
    expect(path).toEqual([]);
    expect([...tensors.get("w")!.data]).toEqual([1, 2, 3, 4]);
  });

  it.each<[string, string, readonly string[]]>([
    ["under a known key", dict(text("optimizer"), dict(text("m"), tensor()), text("model"), dict(text("w"), tensor())), ["model"]],
    ["under two known keys", dict(text("model"), dict(text("state_dict"), dict(text("w"), tensor()))), ["model", "state_dict"]],
    ["under the only key that holds tensors", dict(text("epoch"), byte(3), text("student"), dict(text("w"), tensor())), ["student"]],
    ["under two names of one dict", dict(text("a"), `${dict(text("w"), tensor())}q\x09`, text("b"), "h\x09"), ["a"]],
    ["in an ordered dict of pairs", `${global("collections", "OrderedDict")}](]${text("w")}a${tensor()}ae\x85R`, []],
  ])("keeps its weights %s", async (_, body, where) => {
    const { tensors, path } = await checkpoint(body);
    expect(path).toEqual(where);
    expect([...tensors.keys()]).toEqual(["w"]);
  });

  it("reads through offsets and strides", async () => {
    const { tensors } = await checkpoint(
      dict(
        text("a"),
        tensor(byte(1), dimensions(3)),
        text("b"),
        tensor(byte(0), dimensions(2, 2), dimensions(1, 2)),
        text("c"),
        tensor(byte(2), dimensions(2, 2), dimensions(0, 1)),
      ),
    );
    expect([...tensors.get("a")!.data]).toEqual([2, 3, 4]);
    expect([...tensors.get("b")!.data]).toEqual([1, 3, 2, 4]);
    expect([...tensors.get("c")!.data]).toEqual([3, 4, 3, 4]);
  });
});

describe("code is refused by its name and never run", () => {
  it.each<[string, string]>([
    ["posix.system", `${global("posix", "system")}${text("touch /tmp/never")}\x85R`],
    ["builtins.eval", `${global("builtins", "eval")}${text("1+1")}\x85R`],
    ["os.system", `\x8c\x02os\x8c\x06system\x93${text("true")}\x85R`],
    ["torch._utils._rebuild_tensor_v3", global("torch._utils", "_rebuild_tensor_v3")],
    ["torch.storage._load_from_bytes", global("torch.storage", "_load_from_bytes")],
    ["torch.ComplexFloatStorage", storage("0", byte(4), global("torch", "ComplexFloatStorage"))],
    ["torch.cuda.sparse.FloatStorage", global("torch.cuda.sparse", "FloatStorage")],
    ["torch.nn.Linear", global("torch.nn", "Linear")],
    ["numpy.core.multiarray.scalar", global("numpy.core.multiarray", "scalar")],
    ["argparse.Namespace", `${global("argparse", "Namespace")})\x81`],
    ["collections.OrderedDict.__class__", `\x8c\x0bcollections\x8c\x15OrderedDict.__class__\x93`],
  ])("%s", async (name, body) => {
    await expect(checkpoint(dict(text("w"), tensor(), text("x"), body))).rejects.toMatchObject({
      code: "UNSUPPORTED_FORMAT",
      message: expect.stringContaining(`asks for ${name}, which is no part of plain weights; nothing in it was run`) as string,
    });
  });

  it.each<[string, string]>([
    ["INST", "(iposix\nsystem\n"],
    ["OBJ", `(${global("collections", "OrderedDict")}o`],
    ["EXT1", "\x82\x01"],
    ["PERSID", "Pstorage\n"],
    ["NEWOBJ_EX", `${global("collections", "OrderedDict")})}\x92`],
    ["EMPTY_SET", "\x8f"],
    ["NEXT_BUFFER", "\x97"],
  ])("the opcode %s", async (_, body) => {
    await expect(checkpoint(body)).rejects.toMatchObject({
      code: "UNSUPPORTED_FORMAT",
      message: expect.stringContaining("opcode 0x") as string,
    });
  });
});

describe("refusals", () => {
  const w = (value: string): string => dict(text("w"), value);
  it.each<[string, string, string]>([
    ["nothing", "", "MODEL_CORRUPT"],
    ["two values", byte(1) + byte(2), "MODEL_CORRUPT"],
    ["a number", byte(1), "UNSUPPORTED_FORMAT"],
    ["a tensor without a name", tensor(), "UNSUPPORTED_FORMAT"],
    ["a list of tensors", `](${tensor()}e`, "UNSUPPORTED_FORMAT"],
    ["tensors under numbers", dict(byte(0), tensor()), "UNSUPPORTED_FORMAT"],
    ["several sets of weights", dict(text("student"), w(tensor()), text("teacher"), w(tensor())), "UNSUPPORTED_FORMAT"],
    ["a dict that holds itself", `}q\x00${text("model")}h\x00s`, "LIMIT_EXCEEDED"],
    ["a tensor beyond its storage", w(tensor(byte(1))), "MODEL_CORRUPT"],
    ["a shape beyond its storage", w(tensor(byte(0), dimensions(5))), "MODEL_CORRUPT"],
    ["strides beyond its storage", w(tensor(byte(0), dimensions(2), dimensions(4))), "MODEL_CORRUPT"],
    ["an empty tensor beyond its storage", w(tensor(byte(5), dimensions(0))), "MODEL_CORRUPT"],
    ["a negative offset", w(tensor(minusTwo)), "MODEL_CORRUPT"],
    ["a negative side", w(tensor(byte(0), dimensions(minusTwo))), "MODEL_CORRUPT"],
    ["a negative stride", w(tensor(byte(3), dimensions(2), dimensions(minusTwo))), "MODEL_CORRUPT"],
    ["as many strides as it likes", w(tensor(byte(0), dimensions(2, 2), dimensions(1))), "MODEL_CORRUPT"],
    [
      "a thousand sides",
      w(tensor(byte(0), dimensions(...Array.from({ length: 1000 }, () => 1)), dimensions(...Array.from({ length: 1000 }, () => 1)))),
      "MODEL_CORRUPT",
    ],
    ["one number shown a trillion times", w(tensor(byte(0), dimensions(million, million), dimensions(0, 0))), "LIMIT_EXCEEDED"],
    [
      "sides beyond any number",
      w(tensor(byte(0), dimensions(...Array.from({ length: 4 }, () => "\x8a\x06\xff\xff\xff\xff\xff\x0f")), dimensions(0, 0, 0, 0))),
      "MODEL_CORRUPT",
    ],
    ["a storage larger than its file", w(tensor(byte(0), dimensions(5), dimensions(1), storage("0", byte(5)))), "MODEL_CORRUPT"],
    ["a storage smaller than its file", w(tensor(byte(0), dimensions(3), dimensions(1), storage("0", byte(3)))), "MODEL_CORRUPT"],
    ["a storage that is missing", w(tensor(byte(0), dimensions(4), dimensions(1), storage("1"))), "MODEL_CORRUPT"],
    ["a storage above the folder", w(tensor(byte(0), dimensions(4), dimensions(1), storage("../data/0"))), "MODEL_CORRUPT"],
    [
      "one storage in two ways",
      dict(
        text("w"),
        tensor(),
        text("v"),
        tensor(byte(0), dimensions(2), dimensions(1), storage("0", byte(2), global("torch", "DoubleStorage"))),
      ),
      "MODEL_CORRUPT",
    ],
    ["a negative storage", w(tensor(byte(0), dimensions(1), dimensions(1), storage("0", minusTwo))), "MODEL_CORRUPT"],
    ["a persistent id that is no storage", `${text("file")}Q`, "MODEL_CORRUPT"],
    ["a storage type that is a function", storage("0", byte(4), global("collections", "OrderedDict")), "MODEL_CORRUPT"],
    ["a type that is called", `${global("torch", "FloatStorage")})R`, "MODEL_CORRUPT"],
    ["a tensor without a storage", w(`${global("torch._utils", "_rebuild_tensor_v2")})R`), "MODEL_CORRUPT"],
    ["a parameter without a tensor", w(`${global("torch._utils", "_rebuild_parameter")})R`), "MODEL_CORRUPT"],
    ["a call of what is no name", `${text("os.system")})R`, "MODEL_CORRUPT"],
    ["an ordered dict of a text", `${global("collections", "OrderedDict")}${text("ab")}\x85R`, "MODEL_CORRUPT"],
    ["an ordered dict of numbers", `${global("collections", "OrderedDict")}](K\x01e\x85R`, "MODEL_CORRUPT"],
    ["a stack that runs empty", "R", "MODEL_CORRUPT"],
    ["a value below a mark", `${byte(1)}(\x85`, "MODEL_CORRUPT"],
    ["a mark that is not there", "t", "MODEL_CORRUPT"],
    ["items for a number", `${byte(1)}${byte(1)}${byte(1)}s`, "MODEL_CORRUPT"],
    ["an odd number of items", `}(${byte(1)}u`, "MODEL_CORRUPT"],
    ["an element for a dict", `}${byte(1)}a`, "MODEL_CORRUPT"],
    ["a memory of nothing", "h\x00", "MODEL_CORRUPT"],
    ["a text longer than the file", "X\xff\xff\xff\x7fab", "MODEL_CORRUPT"],
    ["a text longer than any file", "\x8d\xff\xff\xff\xff\xff\xff\xff\xffab", "MODEL_CORRUPT"],
    ["a text that is not UTF-8", "X\x01\x00\x00\x00\xff", "MODEL_CORRUPT"],
    ["a name without end", `c${"a".repeat(2000)}`, "MODEL_CORRUPT"],
    ["a name that is a number", `${byte(1)}${byte(2)}\x93`, "MODEL_CORRUPT"],
    ["protocol 1", "\x80\x01", "UNSUPPORTED_FORMAT"],
    ["two million steps", `(${")".repeat(2_000_001)}`, "LIMIT_EXCEEDED"],
  ])("%s", async (_, body, code) => {
    await expect(checkpoint(body)).rejects.toMatchObject({ name: "GeoLearnError", code });
  });

  it("a list that is made a dict again and again", async () => {
    const list = `](${"]K\x01aK\x01a".repeat(1000)}eq\x01`;
    const body = (times: number): string => `${global("collections", "OrderedDict")}q\x000${list}${"0h\x00h\x01\x85R".repeat(times)}`;
    await expect(checkpoint(body(500))).rejects.toMatchObject({ code: "UNSUPPORTED_FORMAT" });
    await expect(checkpoint(body(501))).rejects.toMatchObject({
      code: "MODEL_CORRUPT",
      message: expect.stringContaining("more than 500000 items") as string,
    });
  });

  it("a big-endian file", async () => {
    await expect(checkpoint(plain, [{ name: "a/byteorder", data: "big" }])).rejects.toMatchObject({
      code: "UNSUPPORTED_FORMAT",
      message: expect.stringContaining('byte order "big"') as string,
    });
  });

  it("a pickle beyond 32 MiB", async () => {
    await expect(checkpoint(new Uint8Array(2 ** 25 + 1).map((_, i) => (i * 2654435761) >>> 13))).rejects.toMatchObject({
      code: "LIMIT_EXCEEDED",
    });
  });

  it("two checkpoints in one archive", async () => {
    await expect(checkpoint(plain, [{ name: "b/data.pkl", data: pickled(plain) }])).rejects.toMatchObject({ code: "UNSUPPORTED_FORMAT" });
  });

  it("old files that were written elsewhere or end early", async () => {
    const good = await fixture("checkpoint-legacy.pth");
    const at = Buffer.from(good).indexOf("little_endian");
    const big = good.slice();
    expect(big[at + "little_endian".length + 2]).toBe(0x88);
    big[at + "little_endian".length + 2] = 0x89;
    await expect(parsePytorchLegacy(big, "old.pth")).rejects.toMatchObject({ code: "UNSUPPORTED_FORMAT" });
    await expect(parsePytorchLegacy(good.slice(0, -1), "old.pth")).rejects.toMatchObject({ code: "MODEL_CORRUPT" });
    const longer = new Uint8Array(good.length + 1);
    longer.set(good);
    await expect(parsePytorchLegacy(longer, "old.pth")).rejects.toMatchObject({ code: "MODEL_CORRUPT" });
  });
});

describe("damage", () => {
  /** Either a typed error, or tensors that are as large as they say. */
  async function isDefined(parse: () => Promise<PytorchWeights>): Promise<void> {
    try {
      for (const { data, shape } of (await parse()).tensors.values()) {
        if (data.length !== shape.reduce((p, s) => p * s, 1)) throw new Error(`[${shape.join(", ")}] has ${data.length} numbers`);
      }
    } catch (error) {
      if (!GeoLearnError.is(error)) throw error;
    }
  }

  it("of any byte of an old file", async () => {
    const good = await fixture("checkpoint-legacy.pth");
    for (let at = 0; at < good.length; at++) {
      const bad = good.slice();
      bad[at]! ^= [1, 0x24, 0x80][at % 3]!;
      await isDefined(() => parsePytorchLegacy(bad, "bad.pth"));
    }
  });

  it("of any byte of a pickle in a zip, and of the zip itself", async () => {
    const good = await fixture("module.pth");
    const archive = await readZip(good);
    const data = await archive.read("module/data.pkl");
    const rng = createRng(7);
    for (let at = 0; at < data.length; at++) {
      const bad = data.slice();
      bad[at] = Math.floor(rng.next() * 256);
      const others = archive.entries.filter(({ name }) => name !== "module/data.pkl");
      const files = await Promise.all(others.map(async ({ name }) => ({ name, data: await archive.read(name), compress: false })));
      const bytes = await writeZip(null, [{ name: "module/data.pkl", data: bad, compress: false }, ...files]);
      await isDefined(() => parsePytorchZip(bytes, "bad.pth"));
    }
    for (let round = 0; round < 500; round++) {
      const bad = good.slice(0, round % 5 === 0 ? Math.floor(rng.next() * good.length) : good.length);
      for (let i = 0; i < 3; i++) bad[Math.floor(rng.next() * bad.length)] = Math.floor(rng.next() * 256);
      await isDefined(() => parsePytorchZip(bad, "bad.pth"));
    }
  });
});

describe("readPickle", () => {
  const rules = {
    allow: (): void => undefined,
    call: (name: string): string => name,
    persistent: (): null => null,
  };
  it.each<[string, string, unknown]>([
    [
      "whole numbers",
      `(K\xffM\xff\xffJ\xff\xff\xff\xff\x8a\x00\x8a\x02\x00\x80\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01l`,
      [255, 65535, -1, 0, -32768, 2n ** 64n],
    ],
    ["other numbers", "(G\x3f\xf8\x00\x00\x00\x00\x00\x00\x88\x89Nl", [1.5, true, false, null]],
    ["texts", "(U\x02\xe9aT\x01\x00\x00\x00bX\x02\x00\x00\x00\xc3\xa9\x8c\x01cl", ["éa", "b", "é", "c"]],
    ["bytes", "(C\x01\xffB\x01\x00\x00\x00\x01l", [Uint8Array.of(255), Uint8Array.of(1)]],
    ["lists and tuples", "](K\x01)K\x02\x85K\x03K\x04\x86eK\x05a", [1, [], [2], [3, 4], 5]],
    [
      "dicts",
      "(K\x01K\x02dK\x03K\x04s",
      new Map([
        [1, 2],
        [3, 4],
      ]),
    ],
    ["copies, and takes back", "](K\x0122K\x020e", [1, 1, 1]],
    ["and takes back to a mark", "K\x01(K\x02K\x031", 1],
  ])("builds %s", (_, body, value) => {
    expect(readPickle(pickled(body), 0, rules, "it").value).toEqual(value);
  });

  it("goes on where another pickle ended", () => {
    const two = Uint8Array.from([...pickled("K\x01"), ...pickled("K\x02")]);
    const { value, end } = readPickle(two, 0, rules, "it");
    expect([value, readPickle(two, end, rules, "it").value]).toEqual([1, 2]);
  });
});
