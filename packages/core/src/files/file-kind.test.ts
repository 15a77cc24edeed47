/** Files told by their first bytes and endings; the fixtures were written by PyTorch. */

import { readFileSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { type FileKind, fileKind } from "./file-kind.ts";

const bytes = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));
const weights = resolve(import.meta.dirname, "../../../models/src/weights/fixtures");

test.each<[string, string, FileKind | null]>([
  ["a.bin", '{ "name": "x", "type": "FeatureCollection", "features": [', "vector"],
  ["a.geojson", "", "vector"],
  ["a.gpkg", "SQLite format 3\0", "vector"],
  ["tiles.mbtiles", "SQLite format 3\0", "image"],
  ["outlines", "\0\0\x27\x0a\0\0", "vector"],
  ["a.json", '{ "type": "Polygons of mine" }', "text"],
  ["README.md", "# Größe\n".replace("ö", "\xc3\xb6").replace("ß", "\xc3\x9f"), "text"],
  ["a.asc", "ncols 4\nnrows 4\n", "image"],
  ["a.h5", "\x89HDF\r\n\x1a\n", "image"],
  ["a.jp2", "\0\0\0\x0cjP  ", "image"],
  ["scene.zip", "PK\x03\x04".padEnd(30, "\0") + "scene/scene.tif", "archive"],
  ["model.dlpk", "PK\x03\x04".padEnd(30, "\0") + "model.emd", "model"],
  ["x", "PK\x03\x04".padEnd(30, "\0") + "archive/data.pkl", "weights"],
  ["x", "\x80\x02\x8a\x0a", "weights"],
  ["x.pth", "", "weights"],
  ["x.pth", "\x08\x08\x12\x07pytorch", "model"],
  ["x", "\xff\xfe\x01\x00", null],
  ["x", "", null],
])("%s %j is %s", (name, head, kind) => {
  expect(fileKind(bytes(head), name)).toBe(kind);
});

test("files that others wrote are told without their names", () => {
  const names = readdirSync(weights).filter((name) => /\.(pth|pt|onnx)$/.test(name));
  expect(names.length).toBeGreaterThan(6);
  for (const name of names) {
    const kind = fileKind(readFileSync(join(weights, name)).subarray(0, 512), "file");
    expect({ name, kind }).toEqual({ name, kind: name.endsWith(".onnx") ? "model" : "weights" });
  }
});
