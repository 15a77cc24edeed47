import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import type { HostTensor } from "@geolearn/engine";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { readSafetensors, writeSafetensors } from "./safetensors-file.ts";
import { encodeSafetensors, parseSafetensors } from "./safetensors.ts";

const python = join(process.env["GEOLEARN_PEERS"] ?? fileURLToPath(new URL("../../../../../.venv-peers", import.meta.url)), "bin/python");
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "safetensors-"));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

/** A file with this header (text or value) and this many bytes of numbers. */
function file(header: unknown, dataBytes = 0, declared?: bigint): Uint8Array {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, declared ?? BigInt(text.length), true);
  bytes.set(text, 8);
  for (let i = 0; i < dataBytes; i++) bytes[8 + text.length + i] = (i * 37) & 0xff;
  return bytes;
}

const entry = (shape: number[], from: number, to: number, dtype = "F32"): object => ({ dtype, shape, data_offsets: [from, to] });

describe("round trip", () => {
  const tensors = new Map<string, HostTensor>([
    ["up.0.conv1.weight", { data: Float32Array.of(1, -2.5, 3e-40, Infinity), shape: [2, 1, 1, 2], dtype: "float32" }],
    ["head.bias", { data: Float32Array.of(0.1), shape: [1], dtype: "float32" }],
    ["scalar", { data: Float32Array.of(7), shape: [], dtype: "float32" }],
    ["empty", { data: new Float32Array(0), shape: [0, 3], dtype: "float32" }],
  ]);

  it("gives back names, shapes, bits and free text", () => {
    const { tensors: read, metadata } = parseSafetensors(encodeSafetensors(tensors, { metadata: { epoch: "3" } }));
    expect(read).toEqual(tensors);
    expect(metadata).toEqual(new Map([["epoch", "3"]]));
  });

  it("writes the same bytes for the same tensors, whole or not at all", async () => {
    const path = join(folder, "a.safetensors");
    await writeSafetensors(path, tensors);
    expect(new Uint8Array(await readFile(path))).toEqual(encodeSafetensors(tensors));
    expect([...(await readSafetensors(path)).tensors.keys()].sort()).toEqual([...tensors.keys()].sort());
    await expect(
      writeSafetensors(path, new Map([["x", { data: new Float32Array(3), shape: [2], dtype: "float32" as const }]])),
    ).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(new Uint8Array(await readFile(path))).toEqual(encodeSafetensors(tensors));
    expect(await readdir(folder)).toEqual(["a.safetensors"]);
  });

  it("reads from an unaligned view", () => {
    const bytes = encodeSafetensors(tensors);
    const shifted = new Uint8Array(bytes.length + 3);
    shifted.set(bytes, 3);
    expect(parseSafetensors(shifted.subarray(3)).tensors.get("head.bias")!.data[0]).toBe(Math.fround(0.1));
  });

  it.skipIf(!existsSync(python))(
    "is understood by PyTorch's reader, and the other way round, in every number type (needs the Python peers)",
    async () => {
      const [ours, theirs] = [join(folder, "ours.safetensors"), join(folder, "theirs.safetensors")];
      await writeSafetensors(ours, new Map([...tensors].filter(([name]) => name !== "empty")));
      // The safetensors package may be absent: the format is three lines of Python, with PyTorch converting the numbers.
      const script = `
import json, struct, sys, torch
b = open(sys.argv[1], "rb").read()
n = struct.unpack("<Q", b[:8])[0]
h = json.loads(b[8:8+n]); h.pop("__metadata__")
print(json.dumps({k: torch.frombuffer(bytearray(b[8+n+v["data_offsets"][0]:8+n+v["data_offsets"][1]]), dtype=torch.float32).reshape(v["shape"]).double().flatten().tolist() for k, v in h.items() if k != "up.0.conv1.weight"}))
torch.manual_seed(0)
x = torch.cat([torch.randn(40) * 100, torch.tensor([0.0, -0.0, 6e-8, 65504.0])])
types = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool}
header, data, expected = {}, b"", {}
for name, dtype in types.items():
    y = (x.clamp(-100, 100) if "8" in name else x).to(dtype)
    raw = y.contiguous().view(torch.uint8).numpy().tobytes()
    header[name] = {"dtype": name, "shape": list(y.shape), "data_offsets": [len(data), len(data) + len(raw)]}
    data += raw
    expected[name] = y.float().tolist()
text = json.dumps(header).encode()
open(sys.argv[2], "wb").write(struct.pack("<Q", len(text)) + text + data)
print(json.dumps(expected))`;
      const [back, expected] = execFileSync(python, ["-c", script, ours, theirs], { encoding: "utf8" })
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Record<string, number[]>);
      expect(back).toEqual({ "head.bias": [Math.fround(0.1)], scalar: [7] });
      const { tensors: read } = await readSafetensors(theirs);
      for (const [name, values] of Object.entries(expected!))
        expect([...read.get(name)!.data], name).toEqual(values.map((v) => Math.fround(v)));
    },
  );
});

describe("refusals", () => {
  const a = entry([2], 0, 8);
  it.each<[string, Uint8Array, string]>([
    ["an empty file", new Uint8Array(0), "MODEL_CORRUPT"],
    ["a file of a few bytes", new Uint8Array(9), "MODEL_CORRUPT"],
    ["a header longer than the file", file({ a }, 8, 5000n), "MODEL_CORRUPT"],
    ["a header length beyond any number", file({ a }, 8, 2n ** 64n - 1n), "MODEL_CORRUPT"],
    ["a header of 20 MB", file(`{"a":"${"x".repeat(20_000_000)}"}`), "LIMIT_EXCEEDED"],
    ["a pickle", Uint8Array.from({ length: 64 }, (_, i) => (i === 0 ? 8 : i < 8 ? 0 : 0x80)), "MODEL_CORRUPT"],
    ["JSON that is cut off", file('{"a": {"dtype": "F32"', 8), "MODEL_CORRUPT"],
    [
      "bytes that are no text",
      (() => {
        const f = file({ a }, 8);
        f[10] = 0xff;
        return f;
      })(),
      "MODEL_CORRUPT",
    ],
    ["a list for a header", file("[1,2]     "), "MODEL_CORRUPT"],
    ["nesting without end", file(`{"a":${"[".repeat(50_000)}${"]".repeat(50_000)}}`), "MODEL_CORRUPT"],
    ["a key that reaches the prototype", file(`{"__proto__":${JSON.stringify(a)}}`, 8), "MODEL_CORRUPT"],
    ["a tensor that is a number", file({ a: 3 }), "MODEL_CORRUPT"],
    ["an unknown number type", file({ a: entry([2], 0, 8, "F8_E4M3") }, 8), "UNSUPPORTED_FORMAT"],
    ["a number type of an object's own", file({ a: entry([2], 0, 8, "constructor") }, 8), "UNSUPPORTED_FORMAT"],
    ["no number type", file({ a: { shape: [2], data_offsets: [0, 8] } }, 8), "UNSUPPORTED_FORMAT"],
    ["a negative side", file({ a: entry([-2], 0, 8) }, 8), "MODEL_CORRUPT"],
    ["a fractional side", file({ a: entry([0.5], 0, 2) }, 2), "MODEL_CORRUPT"],
    ["sides whose product overflows", file({ a: entry([2 ** 52, 2 ** 52], 0, 8) }, 8), "MODEL_CORRUPT"],
    [
      "a thousand sides",
      file(
        {
          a: entry(
            Array.from({ length: 1000 }, () => 1),
            0,
            4,
          ),
        },
        4,
      ),
      "MODEL_CORRUPT",
    ],
    ["offsets that run backwards", file({ a: entry([2], 8, 0) }, 8), "MODEL_CORRUPT"],
    ["offsets beyond the file", file({ a: entry([4], 0, 16) }, 8), "MODEL_CORRUPT"],
    ["one offset", file({ a: { dtype: "F32", shape: [2], data_offsets: [0] } }, 8), "MODEL_CORRUPT"],
    ["more bytes than the shape needs", file({ a: entry([2], 0, 12) }, 12), "MODEL_CORRUPT"],
    ["tensors that overlap", file({ a, b: entry([2], 4, 12) }, 12), "MODEL_CORRUPT"],
    ["tensors that share their bytes", file({ a, b: a }, 8), "MODEL_CORRUPT"],
    ["a gap between tensors", file({ a, b: entry([1], 12, 16) }, 16), "MODEL_CORRUPT"],
    ["bytes nobody describes", file({ a }, 16), "MODEL_CORRUPT"],
    [
      "a file that ends early",
      encodeSafetensors(new Map([["a", { data: new Float32Array(100), shape: [100], dtype: "float32" }]])).subarray(0, 200),
      "MODEL_CORRUPT",
    ],
    ["metadata that is no text", file({ __metadata__: { a: 1 } }), "MODEL_CORRUPT"],
    ["metadata that is a list", file({ __metadata__: [] }), "MODEL_CORRUPT"],
  ])("%s", (_, bytes, code) => {
    expect(() => parseSafetensors(bytes)).toThrow(expect.objectContaining({ name: "GeoLearnError", code }) as Error);
    expect(({} as Record<string, unknown>)["dtype"]).toBeUndefined();
  });

  it("a file that is not there, and a folder", async () => {
    await expect(readSafetensors(join(folder, "nothing.safetensors"))).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
    await expect(readSafetensors(folder)).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
  });

  it("every single damaged byte of the header gives a typed error or the tensors that it then describes", async () => {
    const good = encodeSafetensors(new Map([["conv.weight", { data: Float32Array.of(1, 2, 3, 4), shape: [2, 2], dtype: "float32" }]]));
    for (let at = 0; at < good.length - 16; at++) {
      for (const flip of [1, 0x20, 0x80]) {
        const bad = good.slice();
        bad[at]! ^= flip;
        try {
          for (const { data, shape } of parseSafetensors(bad).tensors.values()) expect(data.length).toBe(shape.reduce((p, s) => p * s, 1));
        } catch (error) {
          expect(error).toMatchObject({ name: "GeoLearnError" });
        }
      }
    }
    await writeFile(join(folder, "good.safetensors"), good);
  });
});
