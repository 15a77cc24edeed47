import { createHash } from "node:crypto";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { writeZip } from "@geolearn/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import expected from "./fixtures/expected.json" with { type: "json" };
import { readWeights } from "./read-weights.ts";
import { encodeSafetensors } from "./safetensors.ts";

const fixtures = fileURLToPath(new URL("fixtures/", import.meta.url));
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "weights-"));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

/** A file of these bytes under a name that says nothing. */
async function file(bytes: Uint8Array | string, name = "weights.bin"): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return path;
}

describe("readWeights gives what PyTorch and tensorflowjs read from their own files", () => {
  it.each(Object.entries(expected))("%s", async (name, { path, tensors }) => {
    const read = await readWeights(join(fixtures, name));
    expect(read.format).toBe(name.startsWith("tfjs") ? "tfjs" : name.endsWith(".onnx") ? "onnx" : "pytorch");
    expect(read.path).toEqual(path);
    expect([...read.tensors.keys()].sort()).toEqual(Object.keys(tensors).sort());
    for (const [key, { shape, values }] of Object.entries(tensors)) {
      const tensor = read.tensors.get(key)!;
      expect(tensor.shape, key).toEqual(shape);
      expect([...tensor.data], key).toEqual(values.map(Math.fround));
    }
  });
});

describe("the content decides", () => {
  it("not the name", async () => {
    const safetensors = encodeSafetensors(new Map([["a", { data: Float32Array.of(1, 2), shape: [2], dtype: "float32" }]]));
    expect((await readWeights(await file(safetensors, "a.pth"))).format).toBe("safetensors");
    expect((await readWeights(await file(await readFile(join(fixtures, "module.pth")), "b.safetensors"))).format).toBe("pytorch");
  });

  it("also for a header whose length looks like a zip's first letters", async () => {
    const text = JSON.stringify({ __metadata__: { a: "x".repeat(100_000) } });
    const header = new TextEncoder().encode(text.padEnd(0x4b50 + 0x20000, " "));
    const bytes = new Uint8Array(8 + header.length);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
    bytes.set(header, 8);
    expect([bytes[0], bytes[1]]).toEqual([0x50, 0x4b]);
    expect((await readWeights(await file(bytes))).format).toBe("safetensors");
  });

  it.each<[string, () => Promise<Uint8Array | string>, RegExp]>([
    ["an empty file", async () => "", /no weight file that is known/],
    ["text", async () => "weights, please", /no weight file that is known/],
    ["other JSON", async () => ' {"weights": []}', /JSON without a weights manifest/],
    ["HDF5", async () => Uint8Array.of(0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a), /is HDF5, as Keras saves models/],
    ["a tar", async () => `${"a".repeat(257)}ustar\u0000`.padEnd(512, "\u0000"), /tar archive, as PyTorch before 0.1.10/],
    ["another zip", () => writeZip(null, [{ name: "a.txt", data: "a" }]), /not one torch.save wrote: it holds a.txt/],
    ["an empty zip", () => writeZip(null, []), /it holds nothing/],
    ["a pickle of something else", async () => Uint8Array.of(0x80, 2, 0x4b, 7, 0x2e), /is a pickle, but not one torch.save wrote/],
  ])("refuses %s", async (_, make, message) => {
    const error: unknown = await readWeights(await file(await make())).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: "GeoLearnError", code: "UNSUPPORTED_FORMAT", message: expect.stringMatching(message) as string });
    expect((error as { hint: string }).hint).not.toBe("");
  });

  it("tells a model package from weights", async () => {
    const path = await file(await writeZip(null, [{ name: "m.emd", data: "{}" }]), "m.dlpk");
    await expect(readWeights(path)).rejects.toMatchObject({
      code: "UNSUPPORTED_FORMAT",
      hint: expect.stringContaining("pretrained") as string,
    });
  });

  it.each(["script.pt", "whole-model.pth"])("refuses the program in %s by its name", async (name) => {
    const error: unknown = await readWeights(join(fixtures, name)).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: "UNSUPPORTED_FORMAT",
      message: expect.stringMatching(name === "script.pt" ? /TorchScript/ : /torch\.nn\.modules\.container\.Sequential/) as string,
      hint: expect.stringContaining("torch.save(") as string,
    });
  });

  it("says what is missing", async () => {
    await expect(readWeights(join(folder, "nothing.pth"))).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
    await expect(readWeights(folder)).rejects.toMatchObject({
      code: "FILE_NOT_FOUND",
      message: expect.stringContaining("model.json") as string,
    });
  });
});

describe("an address", () => {
  const bytes = encodeSafetensors(new Map([["a", { data: Float32Array.of(1, 2), shape: [2], dtype: "float32" }]]));
  const sha256 = createHash("sha256").update(bytes).digest("hex");

  it.each([
    ["", { sha256 }],
    [`#sha256=${sha256}`, {}],
    [`#sha256=${sha256.toUpperCase()}`, { sha256 }],
  ])("is read with its checksum, %j and %j", async (fragment, more) => {
    const server = createServer((_, response) => response.end(bytes));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/w.bin${fragment}`;
    const cache = await mkdtemp(join(folder, "cache-"));
    try {
      const { tensors } = await readWeights(address, { ...more, folder: cache, network: { allowPrivate: true } });
      expect([...tensors.get("a")!.data]).toEqual([1, 2]);
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it.each<[string, string, object]>([
    ["no checksum", "https://example.org/w.pth", {}],
    ["a short checksum", "https://example.org/w.pth#sha256=f37072fd", {}],
    ["another kind of checksum", "https://example.org/w.pth#md5=0123", {}],
    ["two checksums", `https://example.org/w.pth#sha256=${sha256}`, { sha256: "0".repeat(64) }],
    ["a path that has a checksum", "w.pth", { sha256 }],
  ])("is refused with %s before anything is fetched", async (_, source, more) => {
    await expect(readWeights(source, more)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});

describe("a model.json", () => {
  const entry = { name: "a", shape: [2], dtype: "float32" };

  /** A model with this manifest and one shard of eight bytes, "s.bin". */
  async function model(manifest: unknown, more: object = {}): Promise<string> {
    await writeFile(join(folder, "s.bin"), new Uint8Array(new Float32Array([1, 2]).buffer));
    return file(JSON.stringify({ weightsManifest: manifest, ...more }), "model.json");
  }

  it("is read with a byte order mark, too", async () => {
    const path = await model([{ paths: ["s.bin"], weights: [entry] }]);
    await writeFile(path, `\ufeff${await readFile(path, "utf8")}`);
    expect([...(await readWeights(path)).tensors.get("a")!.data]).toEqual([1, 2]);
  });

  const group = (change: object, weights: unknown[] = [entry]): unknown[] => [{ paths: ["s.bin"], weights, ...change }];
  const weight = (change: object): unknown[] => group({}, [{ ...entry, ...change }]);
  it.each<[string, unknown, string]>([
    ["a group that is nothing", [null], "MODEL_CORRUPT"],
    ["paths that are none", group({ paths: "s.bin" }), "MODEL_CORRUPT"],
    ["a shard above the folder", group({ paths: ["../s.bin"] }), "MODEL_CORRUPT"],
    ["a shard with an absolute path", group({ paths: ["/etc/hostname"] }), "MODEL_CORRUPT"],
    ["a shard on a drive", group({ paths: ["C:s.bin"] }), "MODEL_CORRUPT"],
    ["a shard behind a backslash", group({ paths: ["..\\s.bin"] }), "MODEL_CORRUPT"],
    ["a shard on the network", group({ paths: ["https://example.org/s.bin"] }), "MODEL_CORRUPT"],
    ["a shard without a name", group({ paths: [""] }), "MODEL_CORRUPT"],
    ["a shard that is a number", group({ paths: [7] }), "MODEL_CORRUPT"],
    ["a shard that is missing", group({ paths: ["t.bin"] }), "FILE_NOT_FOUND"],
    ["a weight without a name", weight({ name: undefined }), "MODEL_CORRUPT"],
    [
      "a weight named twice",
      group({}, [
        { ...entry, shape: [1] },
        { ...entry, shape: [1] },
      ]),
      "MODEL_CORRUPT",
    ],
    ["no shape", weight({ shape: undefined }), "MODEL_CORRUPT"],
    ["a negative side", weight({ shape: [-2, -1] }), "MODEL_CORRUPT"],
    ["a fractional side", weight({ shape: [0.5, 4] }), "MODEL_CORRUPT"],
    ["a shape larger than the shards", weight({ shape: [3] }), "MODEL_CORRUPT"],
    ["a shape smaller than the shards", weight({ shape: [1] }), "MODEL_CORRUPT"],
    ["a shape beyond any memory", weight({ shape: [2 ** 40, 2 ** 40] }), "LIMIT_EXCEEDED"],
    ["an unknown type", weight({ dtype: "complex64" }), "UNSUPPORTED_FORMAT"],
    ["texts", weight({ dtype: "string" }), "UNSUPPORTED_FORMAT"],
    ["an unknown quantization", weight({ quantization: { dtype: "uint4", scale: 1, min: 0 } }), "UNSUPPORTED_FORMAT"],
    ["a quantization without a scale", weight({ quantization: { dtype: "uint8", min: 0 } }), "MODEL_CORRUPT"],
    ["a quantization that is nothing", weight({ quantization: null }), "UNSUPPORTED_FORMAT"],
    ["a hundred thousand shards", group({ paths: Array.from({ length: 100_000 }, () => "s.bin") }), "LIMIT_EXCEEDED"],
  ])("is refused with %s", async (_, manifest, code) => {
    await expect(readWeights(await model(manifest))).rejects.toMatchObject({ name: "GeoLearnError", code });
  });

  it("is refused with keys that reach the prototype", async () => {
    const path = await file('{"weightsManifest": [], "__proto__": {}}', "model.json");
    await expect(readWeights(path)).rejects.toMatchObject({ code: "MODEL_CORRUPT" });
  });

  it("is refused when a shard ends early", async () => {
    const copy = join(folder, "copy");
    await cp(join(fixtures, "tfjs"), copy, { recursive: true });
    const shard = join(copy, "group1-shard4of4.bin");
    await writeFile(shard, (await readFile(shard)).subarray(0, -1));
    await expect(readWeights(copy)).rejects.toMatchObject({ code: "MODEL_CORRUPT" });
    await rm(shard);
    await symlink(folder, shard);
    await expect(readWeights(copy)).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
  });
});
