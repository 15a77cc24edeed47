import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import zlib from "node:zlib";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { GeoLearnError } from "../errors.ts";
import { type ZipInput, readZip, writeZip } from "./zip.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "geolearn-zip-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

describe("writeZip and readZip", () => {
  const entries: ZipInput[] = [
    { name: "model.emd", data: JSON.stringify({ ModelType: "UNet", padding: " ".repeat(500) }) },
    { name: "weights/é.safetensors", data: new Uint8Array(2 ** 20 + 3).map((_, i) => (i * 2654435761) >>> 24) },
    { name: "empty.txt", data: "" },
  ];

  it("gives back what was put in, the same bytes each time", async () => {
    const bytes = await writeZip(null, entries);
    const path = join(folder, "a.zip");
    await writeZip(path, entries);
    expect(Buffer.compare(await readFile(path), bytes)).toBe(0);
    expect(Buffer.compare(await writeZip(null, entries), bytes)).toBe(0);
    for (const source of [bytes, path]) {
      const zip = await readZip(source);
      expect(zip.entries.map((entry) => entry.name)).toEqual(entries.map((entry) => entry.name));
      for (const { name, data } of entries) {
        const expected = typeof data === "string" ? Buffer.from(data) : data;
        expect(Buffer.compare(await zip.read(name), expected)).toBe(0);
      }
    }
    expect((await readdir(folder)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  it("is read by other programs", async () => {
    const path = join(folder, "python.zip");
    await writeZip(path, entries);
    const script = "import sys,zipfile;z=zipfile.ZipFile(sys.argv[1]);print(z.testzip(), sorted(i.file_size for i in z.infolist()))";
    let output: string;
    try {
      output = execFileSync("python3", ["-c", script, path], { encoding: "utf8" });
    } catch {
      process.stderr.write("skipped: python3 is not installed\n");
      return;
    }
    expect(output.trim()).toMatch(/^None \[0, \d+, 1048579\]$/);
  });

  it("refuses to write what it would not read", async () => {
    for (const name of ["../a", "/a", "a\\b", "C:a", "a/./b", "", "a/"]) {
      await expect(writeZip(null, [{ name, data: "x" }])).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    }
    await expect(
      writeZip(null, [
        { name: "a", data: "" },
        { name: "A", data: "" },
      ]),
    ).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("names what is missing", async () => {
    const zip = await readZip(await writeZip(null, entries));
    await expect(zip.read("nothing")).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
    await expect(readZip(join(folder, "missing.zip"))).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
  });
});

/** A hand-made archive, so that every field can lie. */
interface Raw {
  name: string | Buffer;
  data?: Buffer;
  packed?: Buffer;
  method?: number;
  size?: number;
  compressedSize?: number;
  crc?: number;
  mode?: number;
  flags?: number;
  localName?: string;
  /** Use the local header of this earlier entry. */
  sameAs?: number;
}

function rawZip(entries: Raw[], count = entries.length): Buffer {
  const locals: Buffer[] = [];
  const offsets: number[] = [];
  const listed: Buffer[] = [];
  let position = 0;
  for (const entry of entries) {
    const data = entry.data ?? Buffer.from("hello");
    const packed = entry.packed ?? data;
    const name = Buffer.from(entry.name);
    const localName = Buffer.from(entry.localName ?? entry.name);
    const fields = (nameLength: number): Buffer => {
      const b = Buffer.alloc(26);
      b.writeUInt16LE(20, 0);
      b.writeUInt16LE(entry.flags ?? 0x800, 2);
      b.writeUInt16LE(entry.method ?? (entry.packed ? 8 : 0), 4);
      b.writeUInt32LE(entry.crc ?? zlib.crc32(data), 10);
      b.writeUInt32LE(entry.compressedSize ?? packed.length, 14);
      b.writeUInt32LE(entry.size ?? data.length, 18);
      b.writeUInt16LE(nameLength, 22);
      return b;
    };
    let offset = position;
    if (entry.sameAs === undefined) {
      const local = Buffer.concat([Buffer.from("PK\u0003\u0004"), fields(localName.length), localName, packed]);
      locals.push(local);
      position += local.length;
    } else offset = offsets[entry.sameAs]!;
    offsets.push(offset);
    const head = Buffer.alloc(46);
    head.write("PK\u0001\u0002", 0, "latin1");
    head.writeUInt16LE(0x0314, 4);
    fields(name.length).copy(head, 6);
    head.writeUInt32LE(((entry.mode ?? 0o100644) << 16) >>> 0, 38);
    head.writeUInt32LE(offset, 42);
    listed.push(Buffer.concat([head, name]));
  }
  const directory = Buffer.concat(listed);
  const end = Buffer.alloc(22);
  end.write("PK\u0005\u0006", 0, "latin1");
  end.writeUInt16LE(count, 8);
  end.writeUInt16LE(count, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(position, 16);
  return Buffer.concat([...locals, directory, end]);
}

const zeros = Buffer.alloc(20 * 2 ** 20);
const bomb = zlib.deflateRawSync(zeros);
const small = Buffer.from("some text, some text, some text");

const hostile: Record<string, Buffer> = {
  "parent folder": rawZip([{ name: "../evil" }]),
  "parent folder inside": rawZip([{ name: "a/../../evil" }]),
  absolute: rawZip([{ name: "/etc/passwd" }]),
  drive: rawZip([{ name: "C:/evil" }]),
  "drive, relative": rawZip([{ name: "c:evil" }]),
  UNC: rawZip([{ name: "\\\\host\\share\\evil" }]),
  "UNC with slashes": rawZip([{ name: "//host/share/evil" }]),
  backslash: rawZip([{ name: "..\\evil" }]),
  NUL: rawZip([{ name: "a.txt\0.png" }]),
  "control character": rawZip([{ name: "a\u001b[2J" }]),
  "empty name": rawZip([{ name: "" }]),
  "not UTF-8": rawZip([{ name: Buffer.from([0x61, 0xff, 0xfe]) }]),
  "symbolic link": rawZip([{ name: "link", data: Buffer.from("/etc/passwd"), mode: 0o120777 }]),
  "symbolic link to a folder": rawZip([{ name: "folder", data: Buffer.from("/etc"), mode: 0o120777 }, { name: "folder/a" }]),
  device: rawZip([{ name: "tty", mode: 0o020666 }]),
  pipe: rawZip([{ name: "pipe", mode: 0o010666 }]),
  "same name twice": rawZip([{ name: "a" }, { name: "a" }]),
  "names that differ by case": rawZip([{ name: "Model.emd" }, { name: "model.EMD" }]),
  "names that differ by composition": rawZip([{ name: "\u00e9" }, { name: "e\u0301" }]),
  "file and folder": rawZip([{ name: "a" }, { name: "a/b" }]),
  "entries that share data": rawZip([{ name: "a" }, { name: "b", sameAs: 0, localName: "a" }]),
  "local name differs": rawZip([{ name: "a.txt", localName: "b.txt" }]),
  "too many entries": rawZip(Array.from({ length: 1001 }, (_, i) => ({ name: `f${i}` }))),
  "entry count lies": rawZip([{ name: "a" }], 900),
  "high ratio": rawZip([{ name: "bomb", data: zeros, packed: bomb }]),
  "states 4 GB": rawZip([{ name: "a", size: 0xfffffff0, packed: bomb, data: small }]),
  "states less than it holds": rawZip([{ name: "a", data: small, size: 3, packed: zlib.deflateRawSync(small) }]),
  "states more than it holds": rawZip([{ name: "a", data: small, size: 300, packed: zlib.deflateRawSync(small) }]),
  "reaches past the end": rawZip([{ name: "a", size: 5000, compressedSize: 5000 }]),
  "wrong checksum": rawZip([{ name: "a", crc: 1 }]),
  "damaged deflate": rawZip([{ name: "a", data: small, packed: Buffer.from([0xff, 0xff, 0xff]) }]),
  encrypted: rawZip([{ name: "a", flags: 0x801 }]),
  "unknown method": rawZip([{ name: "a", method: 14 }]),
  "stored with two sizes": rawZip([{ name: "a", size: 10 }]),
  "folder with data": rawZip([{ name: "a/", mode: 0o040755 }]),
  "no zip": Buffer.from("this is no archive at all, just some text"),
  empty: Buffer.alloc(0),
  truncated: rawZip([{ name: "a" }]).subarray(0, 60),
};

describe("hostile archives", () => {
  for (const [name, bytes] of Object.entries(hostile)) {
    it(`refuses: ${name}`, async () => {
      const started = performance.now();
      let error: unknown = null;
      try {
        const zip = await readZip(bytes, { code: "MODEL_CORRUPT", name: "m.dlpk" });
        for (const entry of zip.entries) await zip.read(entry.name);
      } catch (caught) {
        error = caught;
      }
      expect(GeoLearnError.is(error) && ["MODEL_CORRUPT", "LIMIT_EXCEEDED"].includes(error.code)).toBe(true);
      expect((error as GeoLearnError).message).toContain("m.dlpk");
      expect(performance.now() - started).toBeLessThan(1000);
    });
  }

  it("does not open a zip inside a zip", async () => {
    const inner = await writeZip(null, [{ name: "a.txt", data: "a" }]);
    const zip = await readZip(await writeZip(null, [{ name: "inner.zip", data: inner }]));
    expect(zip.entries).toEqual([{ name: "inner.zip", size: inner.byteLength }]);
    expect(Buffer.compare(await zip.read("inner.zip"), inner)).toBe(0);
  });

  it("gives the right bytes or a typed error for every flipped bit", async () => {
    const good = Buffer.from(
      await writeZip(null, [
        { name: "a.txt", data: small },
        { name: "b/c.bin", data: small, compress: false },
      ]),
    );
    let refused = 0;
    for (let bit = 0; bit < good.length * 8; bit++) {
      const bytes = Buffer.from(good);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      try {
        const zip = await readZip(bytes);
        for (const entry of zip.entries) expect(text(await zip.read(entry.name))).toBe(small.toString());
      } catch (error) {
        if (!GeoLearnError.is(error)) throw error;
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(good.length);
  });

  it("reads folders and a foreign archive", async () => {
    const path = join(folder, "foreign.zip");
    await writeFile(path, rawZip([{ name: "images/", data: Buffer.alloc(0), mode: 0o040755 }, { name: "images/1.txt" }]));
    const zip = await readZip(path);
    expect(zip.entries).toEqual([{ name: "images/1.txt", size: 5 }]);
    expect(text(await zip.read("images/1.txt"))).toBe("hello");
  });
});
