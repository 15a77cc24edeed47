import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { encodePng, readZip, writeZip, type ZipInput } from "@geolearn/core";
import type { HostTensor } from "@geolearn/engine";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { ModelManifest } from "../manifest.ts";
import { createBlueprint } from "../network/architectures.ts";
import { patternWeights, sameWeights } from "../testing/pattern.ts";
import { encodeSafetensors } from "../weights/safetensors.ts";
import { describeModelPackage } from "./describe.ts";
import { emdOf } from "./emd.ts";
import { readModelPackage } from "./read.ts";
import { encodeModelPackage, writeModelPackage } from "./write.ts";

const band = { min: 3, max: 250, mean: 100.5, std: 31.25, count: 65536 };
const manifest: ModelManifest = {
  task: "pixelClassification",
  name: "Buildings of Banepa",
  modelType: "unet",
  backbone: null,
  config: {
    ...createBlueprint("unet", {
      bands: 3,
      classes: 2,
      base: 4,
      depth: 2,
      normalization: { mean: [100.5, 100.5, 100.5], std: [31.25, 31.25, 31.25] },
    }).config,
  },
  classes: [
    { value: 0, name: "background", color: [0, 0, 0] },
    { value: 7, name: "building", color: [230, 60, 40] },
  ],
  bandNames: ["red", "green", "blue"],
  bandIndices: [2, 1, 0],
  sampleType: "uint8",
  statistics: [band, band, band],
  chipWidth: 256,
  chipHeight: 128,
  resolution: 0.31,
  metrics: { pixelAccuracy: 0.91, meanIou: 0.7, classes: [{ value: 7, name: "building", iou: 0.55 }] },
  training: { epochs: 8, lr: 1e-3, seed: 7 },
};
const weights = patternWeights(createBlueprint("unet", manifest.config).parameters);
const preview = encodePng({ width: 2, height: 2, channels: 4, data: new Uint8Array(16).fill(200) });
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "dlpk-"));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

/** A package whose `.emd` or files are not as they should be. */
async function packed(
  change: { own?: object; emd?: object; weights?: ReadonlyMap<string, HostTensor>; more?: readonly ZipInput[] } = {},
): Promise<Uint8Array> {
  const emd = JSON.parse(emdOf(manifest, "m.safetensors", null)) as Record<string, unknown>;
  const changed = { ...emd, GeoLearn: { ...(emd["GeoLearn"] as object), ...change.own }, ...change.emd };
  return writeZip(null, [
    { name: "m.emd", data: JSON.stringify(changed) },
    { name: "m.safetensors", data: encodeSafetensors(change.weights ?? weights) },
    ...(change.more ?? []),
  ]);
}

describe("a model package", () => {
  it("comes back as it was written, from a path and from bytes", async () => {
    const path = join(folder, "buildings.dlpk");
    await writeModelPackage(path, { manifest, weights, preview });
    for (const source of [path, new Uint8Array(await readFile(path))]) {
      const read = await readModelPackage(source);
      expect(read.manifest).toEqual(manifest);
      expect(sameWeights(read.weights, weights)).toBe(true);
      expect(read.formatVersion).toBe(1);
      expect(Buffer.from(read.preview!).equals(preview)).toBe(true);
    }
    expect(await readdir(folder)).toEqual(["buildings.dlpk"]);
  });

  it("is the same bytes for the same content", async () => {
    expect(await encodeModelPackage({ manifest, weights, preview })).toEqual(
      await encodeModelPackage({ manifest: structuredClone(manifest), weights, preview }),
    );
  });

  it("carries Esri's keys in its .emd", async () => {
    const archive = await readZip(await encodeModelPackage({ manifest, weights, preview }));
    expect(archive.entries.map((e) => e.name)).toEqual([
      "Buildings of Banepa.emd",
      "Buildings of Banepa.safetensors",
      "ModelCharacteristics/show_results.png",
    ]);
    const emd = JSON.parse(new TextDecoder().decode(await archive.read("Buildings of Banepa.emd"))) as Record<string, unknown>;
    expect(emd).toMatchObject({
      Framework: "GeoLearn",
      ModelConfiguration: "unet",
      ModelType: "ImageClassification",
      ModelFile: "Buildings of Banepa.safetensors",
      ImageWidth: 256,
      ImageHeight: 128,
      ExtractBands: [2, 1, 0],
      DataRange: [3, 250],
      IsMultispectral: false,
      NormalizationStats: { band_mean_values: [100.5, 100.5, 100.5], band_std_values: [31.25, 31.25, 31.25] },
      MinCellSize: { x: 0.31, y: 0.31 },
      Classes: [
        { Value: 0, Name: "background", Color: [0, 0, 0] },
        { Value: 7, Name: "building", Color: [230, 60, 40] },
      ],
      accuracy: 0.91,
    });
  });

  it("is described without opening its weights", async () => {
    const described = await describeModelPackage(await encodeModelPackage({ manifest, weights }));
    expect(described).toMatchObject({
      origin: "geolearn",
      name: manifest.name,
      task: "pixelClassification",
      modelType: "unet",
      backbone: null,
      bands: 3,
      resolution: 0.31,
      manifest,
    });
    expect(described.files.map((f) => f.name)).toHaveLength(2);
  });

  it("keeps fields of the manifest that this version does not know", async () => {
    const more = { ...manifest, licence: "CC-BY-4.0" };
    expect((await readModelPackage(await encodeModelPackage({ manifest: more, weights }))).manifest).toEqual(more);
  });

  it("takes any name", async () => {
    const names = ["", "../../etc/passwd", "a/b\\c:d*?", "гебаude 建物", ".hidden.", "x".repeat(900)];
    for (const name of names) {
      const read = await readModelPackage(await encodeModelPackage({ manifest: { ...manifest, name }, weights }));
      expect(read.manifest.name).toBe(name);
    }
  });

  it("finds its .emd in a folder of the archive", async () => {
    const bytes = await writeZip(null, [
      { name: "m/m.emd", data: emdOf(manifest, ".\\m.safetensors", null) },
      { name: "m/m.safetensors", data: encodeSafetensors(weights) },
    ]);
    expect((await readModelPackage(bytes)).manifest).toEqual(manifest);
  });
});

describe("writing refuses", () => {
  const without = (name: string): Map<string, HostTensor> => new Map([...weights].filter(([key]) => key !== name));

  it.each<[string, Partial<ModelManifest>, Partial<{ weights: ReadonlyMap<string, HostTensor>; preview: Uint8Array }>, string]>([
    ["fewer classes than the network has", { classes: manifest.classes.slice(0, 1) }, {}, "INVALID_ARGUMENT"],
    ["two classes of one value", { classes: manifest.classes.map((c) => ({ ...c, value: 1 })) }, {}, "INVALID_ARGUMENT"],
    [
      "more bands than the network has",
      { bandIndices: [0, 1, 2, 3], bandNames: ["a", "b", "c", "d"], statistics: [band, band, band, band] },
      {},
      "INVALID_ARGUMENT",
    ],
    ["fewer statistics than bands", { statistics: [band] }, {}, "INVALID_ARGUMENT"],
    ["statistics that are not numbers", { statistics: [band, band, { ...band, mean: NaN }] }, {}, "INVALID_ARGUMENT"],
    ["an unknown architecture", { modelType: "hourglass" }, {}, "INVALID_ARGUMENT"],
    ["a chip without width", { chipWidth: 0 }, {}, "INVALID_ARGUMENT"],
    ["missing weights", {}, { weights: without("head.bias") }, "WEIGHTS_MISMATCH"],
    ["a preview that is no PNG", {}, { preview: Uint8Array.of(0xff, 0xd8, 0xff) }, "INVALID_ARGUMENT"],
  ])("%s", async (_, manifestChange, content, code) => {
    const path = join(folder, "refused.dlpk");
    await expect(writeModelPackage(path, { manifest: { ...manifest, ...manifestChange }, weights, ...content })).rejects.toMatchObject({
      code,
    });
    await expect(readFile(path)).rejects.toMatchObject({ code: "ENOENT" });
  });
});

describe("reading refuses", () => {
  const changed = (name: string, change: (tensor: HostTensor) => HostTensor): Map<string, HostTensor> =>
    new Map([...weights].map(([key, t]) => [key, key === name ? change(t) : t]));

  it.each<[string, () => Promise<Uint8Array>, string]>([
    ["a newer format version, saying so", () => packed({ own: { formatVersion: 2 } }), "UNSUPPORTED_FORMAT"],
    ["no format version", () => packed({ own: { formatVersion: undefined } }), "MODEL_CORRUPT"],
    ["a format version in words", () => packed({ own: { formatVersion: "1" } }), "MODEL_CORRUPT"],
    ["a description that is text", () => packed({ emd: { GeoLearn: "unet" } }), "MODEL_CORRUPT"],
    ["an unknown task", () => packed({ own: { task: "tidying" } }), "MODEL_CORRUPT"],
    ["an architecture nobody knows", () => packed({ own: { modelType: "__proto__" } }), "MODEL_CORRUPT"],
    [
      "a configuration beyond all memory",
      () => packed({ own: { config: { bands: 3, classes: 2, base: 2 ** 30, depth: 8 } } }),
      "MODEL_CORRUPT",
    ],
    [
      "a configuration the weights are not for",
      () => packed({ own: { config: { bands: 3, classes: 2, base: 4096, depth: 0 } } }),
      "MODEL_CORRUPT",
    ],
    ["another width than the weights'", () => packed({ own: { config: { bands: 3, classes: 2, base: 8, depth: 2 } } }), "WEIGHTS_MISMATCH"],
    [
      "more classes than the network",
      () => packed({ own: { classes: [...manifest.classes, { value: 9, name: "road", color: [1, 2, 3] }] } }),
      "MODEL_CORRUPT",
    ],
    ["fewer bands than the network", () => packed({ own: { bandIndices: [0], bandNames: ["grey"], statistics: [band] } }), "MODEL_CORRUPT"],
    [
      "a colour out of range",
      () => packed({ own: { classes: manifest.classes.map((c) => ({ ...c, color: [0, 0, 300] })) } }),
      "MODEL_CORRUPT",
    ],
    [
      "a head for other classes",
      () => packed({ weights: changed("head.weight", () => ({ data: new Float32Array(12), shape: [3, 4, 1, 1], dtype: "float32" })) }),
      "WEIGHTS_MISMATCH",
    ],
    [
      "a weight that is not a number",
      () => packed({ weights: changed("head.bias", () => ({ data: Float32Array.of(NaN, 0), shape: [2], dtype: "float32" })) }),
      "MODEL_CORRUPT",
    ],
    ["no .emd", () => writeZip(null, [{ name: "m.safetensors", data: encodeSafetensors(weights) }]), "MODEL_CORRUPT"],
    ["two .emd", () => packed({ more: [{ name: "n.emd", data: "{}" }] }), "MODEL_CORRUPT"],
    ["an .emd that is no JSON", () => writeZip(null, [{ name: "m.emd", data: "model: unet" }]), "MODEL_CORRUPT"],
    ["an .emd that is a list", () => writeZip(null, [{ name: "m.emd", data: "[]" }]), "MODEL_CORRUPT"],
    [
      "an .emd nested without end",
      () => writeZip(null, [{ name: "m.emd", data: `{"a":${"[".repeat(20_000)}${"]".repeat(20_000)}}`, compress: false }]),
      "MODEL_CORRUPT",
    ],
    [
      "an .emd that reaches the prototype",
      () => writeZip(null, [{ name: "m.emd", data: '{"__proto__": {"polluted": true}, "GeoLearn": {}}' }]),
      "MODEL_CORRUPT",
    ],
    [
      "an .emd of 20 MB",
      () => writeZip(null, [{ name: "m.emd", data: new Uint8Array(20_000_000).fill(32), compress: false }]),
      "LIMIT_EXCEEDED",
    ],
    ["a zip cut in two", async () => (await packed()).subarray(0, 5000), "MODEL_CORRUPT"],
    ["no zip at all", () => Promise.resolve(new Uint8Array(4096).fill(7)), "MODEL_CORRUPT"],
    ["nothing", () => Promise.resolve(new Uint8Array(0)), "MODEL_CORRUPT"],
    ["a name that leaves the archive", () => renamed("../evil.txt"), "MODEL_CORRUPT"],
    ["a name at the root", () => renamed("/etc/passwd"), "MODEL_CORRUPT"],
    ["a name with a backslash", () => renamed("..\\evil.tx"), "MODEL_CORRUPT"],
    ["a name with a drive", () => renamed("C:/evil.txt"), "MODEL_CORRUPT"],
    ["a name twice", () => renamed("m.emd"), "MODEL_CORRUPT"],
    ["names that differ by case", () => renamed("M.EMD"), "MODEL_CORRUPT"],
  ])("%s", async (_, make, code) => {
    await expect(readModelPackage(await make())).rejects.toMatchObject({ name: "GeoLearnError", code });
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });

  it.each([
    "../m.safetensors",
    "..\\m.safetensors",
    "/etc/passwd",
    "C:\\m.safetensors",
    "other.safetensors",
    "m%2esafetensors",
    "m.emd",
    "",
    "m.safetensors\0",
    "\uFF4D.safetensors",
    "https://example.org/m.safetensors",
  ])("weights named %j, without looking outside the archive", async (ModelFile) => {
    await expect(readModelPackage(await packed({ emd: { ModelFile } }))).rejects.toMatchObject({ code: "MODEL_CORRUPT" });
  });

  it("a path that is not there, and a folder", async () => {
    await expect(readModelPackage(join(folder, "nothing.dlpk"))).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
    await expect(readModelPackage(folder)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("nonsense in any field, by a typed error or not at all", async () => {
    const nonsense = [
      null,
      true,
      -1,
      0.5,
      1e300,
      "",
      "constructor",
      [],
      [null],
      {},
      { length: 3 },
      [[[]]],
      [{ value: {}, name: [], color: 1 }],
    ];
    const own = (JSON.parse(emdOf(manifest, "m.safetensors", null)) as { GeoLearn: Record<string, unknown> }).GeoLearn;
    const config = own["config"] as Record<string, unknown>;
    for (const value of nonsense) {
      const changes = [
        ...Object.keys(own).map((key) => ({ own: { [key]: value } })),
        ...Object.keys(config).map((key) => ({ own: { config: { ...config, [key]: value } } })),
        { emd: { ModelFile: value } },
        { emd: { GeoLearn: value } },
      ];
      for (const change of changes) {
        const result = await readModelPackage(await packed(change)).catch((error: unknown) => error);
        if (result instanceof Error) expect(result.name, JSON.stringify(change)).toBe("GeoLearnError");
      }
    }
  });

  it("every damaged byte, by a typed error or not at all", async () => {
    const good = await encodeModelPackage({ manifest, weights });
    const step = Math.floor(good.length / 400);
    for (let at = 0; at < good.length; at += step) {
      const bad = good.slice();
      bad[at]! ^= 0x55;
      const result = await readModelPackage(bad).catch((error: unknown) => error);
      // The CRC of every entry is checked, so a package that is still accepted is still the same model.
      if (result instanceof Error) expect(result.name).toBe("GeoLearnError");
      else expect(result).toMatchObject({ manifest });
    }
  });
});

/** A package with one more file, whose name is put in after the archive was written. */
async function renamed(name: string): Promise<Uint8Array> {
  const placeholder = "x".repeat(name.length);
  const bytes = Buffer.from(await packed({ more: [{ name: placeholder, data: "evil" }] }));
  for (let at = bytes.indexOf(placeholder); at >= 0; at = bytes.indexOf(placeholder, at + 1)) bytes.write(name, at, "latin1");
  return new Uint8Array(bytes);
}

describe("a folder that cannot be written", () => {
  it("gives a typed error", async () => {
    await expect(writeModelPackage(join(folder, "no-folder", "x.dlpk"), { manifest, weights })).rejects.toMatchObject({
      code: "WRITE_FAILED",
    });
  });
});
