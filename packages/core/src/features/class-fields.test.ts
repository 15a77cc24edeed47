import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { describe, expect, test } from "vitest";

import { classFieldWarning } from "./class-fields.ts";
import type { FieldValue } from "./features.ts";
import { readFeatures } from "./open.ts";

const shared = fileURLToPath(new URL("../../../../../shared/data", import.meta.url));
const withData = existsSync(shared);
if (!withData) process.stdout.write("class fields: tests with real data are skipped, ../shared/data is missing\n");

const messageOf = (count: number, fields: Readonly<Record<string, (i: number) => FieldValue | undefined>>): string | null => {
  const features = Array.from({ length: count }, (_, i) => ({
    geometry: null,
    properties: Object.fromEntries(Object.entries(fields).flatMap(([name, of]) => (of(i) === undefined ? [] : [[name, of(i)!]]))),
  }));
  return classFieldWarning({ name: "labels", crs: null, features })?.message ?? null;
};

describe("fields that look like classes", () => {
  test("integers and texts with 2 to 50 values", () => {
    expect(messageOf(100, { code: (i) => i % 50, kind: (i) => (i % 2 === 0 ? "a" : "b") })).toBe(
      "labels has fields code, kind; all features become one class.",
    );
    expect(messageOf(3, { kind: (i) => (i < 2 ? "a" : "b") })).toBe("labels has the field kind; all features become one class.");
  });

  test.each<[string, (i: number) => FieldValue | undefined]>([
    ["ids", (i) => i % 40],
    ["51 values", (i) => i % 51],
    ["one value", () => "house"],
    ["one value nearly everywhere", (i) => (i % 40 === 0 ? "school" : "yes")],
    ["measures", (i) => (i % 4) + 0.5],
    ["measures as text", (i) => `${(i % 4) + 0.5}`],
    ["dates", (i) => `2017-12-1${i % 4}`],
    ["truths", (i) => i % 2 === 0],
    ["tags of some", (i) => (i % 5 === 0 ? undefined : i % 2)],
    ["empty ones", (i) => (i % 5 === 0 ? "" : i % 2)],
  ])("not %s", (what, of) => {
    expect(messageOf(what === "ids" ? 40 : 400, { field: of })).toBeNull();
  });

  test("at most four are named, and hundreds of sparse tags are none", () => {
    const kinds = Object.fromEntries(Array.from({ length: 7 }, (_, f) => [`f${f}`, (i: number) => i % (f + 2)]));
    expect(messageOf(90, kinds)).toBe("labels has fields f0, f1, f2, f3 and 3 more; all features become one class.");
    const tags = Object.fromEntries(Array.from({ length: 260 }, (_, f) => [`t${f}`, (i: number) => (i <= f ? i % 2 : undefined)]));
    expect(messageOf(300, tags)).toBeNull();
  });

  test.skipIf(!withData)("of land cover there are some, of buildings with tags of OpenStreetMap none", async () => {
    const warning = classFieldWarning(await readFeatures(join(shared, "landcover-slovenia-s2/lulc.geojson")))!;
    expect(warning.message).toMatch(/has fields RABA_ID, LULC_ID, LULC_NAME; all features become one class\.$/);
    expect(warning.hint).toContain('`classField: "RABA_ID"`');
    expect(classFieldWarning(await readFeatures(join(shared, "buildings-banepa/buildings.geojson")))).toBeNull();
  });
});
