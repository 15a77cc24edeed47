import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { type Crs, type Feature, type Features, type Warning, createRng, parseCrs, reprojectFeatures } from "@geolearn/core";
import { describe, expect, test } from "vitest";

import { objectAccuracy } from "./object-accuracy.ts";
import { accuracyTable, writeAccuracyReport, writeAccuracyTable } from "./object-report.ts";

const root = fileURLToPath(new URL("../../../../", import.meta.url));
const atlanta = join(root, "../shared/data/eval-footprints-atlanta");
const withData = existsSync(atlanta);
if (!withData) process.stdout.write("accuracy: the test on published footprints is skipped, there is no ../shared/data\n");
const python = join(process.env["GEOLEARN_PEERS"] ?? join(root, "../.venv-peers"), "bin/python");
const withPeers = existsSync(python);
if (!withPeers) process.stdout.write("accuracy: the test against shapely is skipped, no Python environment (GEOLEARN_PEERS)\n");

type Position = number[];

const utm = parseCrs(32633);
const ORIGIN = [500_000, 5_000_000] as const;

function square(x: number, y: number, side: number, properties: Feature["properties"] = {}): Feature {
  const [x0, y0] = [ORIGIN[0] + x, ORIGIN[1] + y];
  return {
    geometry: { type: "Polygon", coordinates: [[[x0, y0], [x0 + side, y0], [x0 + side, y0 + side], [x0, y0 + side], [x0, y0]]] }, // prettier-ignore
    properties,
  };
}

function layer(name: string, features: readonly Feature[], crs: Crs | null = utm): Features {
  return { name, crs, features };
}

const refusal = (code: string): unknown => expect.objectContaining({ code });

describe("accuracy of objects", () => {
  test.skipIf(!withData)("published: 8 of 28 footprints of Atlanta", async () => {
    const result = await objectAccuracy(join(atlanta, "pred.geojson"), join(atlanta, "gt.geojson"));
    expect(result).toMatchObject({ truePositives: 8, falsePositives: 20, falseNegatives: 20, scoreField: "conf", minIou: 0.5 });
    for (const share of [result.precision, result.recall, result.f1]) expect(share).toBeCloseTo(0.2857142857, 10);
    const marks = result.features.features.map(({ properties }) => properties["accuracy"]);
    expect(["TP", "FP", "FN"].map((mark) => marks.filter((own) => own === mark).length)).toEqual([8, 20, 20]);
    // the same when one side comes in degrees
    const { readFeatures } = await import("@geolearn/core");
    const inDegrees = reprojectFeatures(await readFeatures(join(atlanta, "gt.geojson")), parseCrs(4326));
    for (const [one, other] of [
      [join(atlanta, "pred.geojson"), inDegrees],
      [inDegrees, join(atlanta, "pred.geojson")],
    ] as const) {
      expect((await objectAccuracy(one, other)).truePositives).toBe(8);
    }
  });

  test.skipIf(!withPeers)("200 random scenes equal a brute force over all pairs with shapely", async () => {
    const cases = Array.from({ length: 200 }, (_, i) => randomScene(i));
    const answers = JSON.parse(
      execFileSync(python, ["-W", "ignore", join(root, "tests/oracles/objects.py"), "scenes"], {
        input: JSON.stringify({ cases }),
        encoding: "utf8",
        maxBuffer: 2 ** 28,
      }),
    ) as {
      truePositives: number;
      falsePositives: number;
      falseNegatives: number;
      aps: Record<string, number | null>;
      matches: [number, number][];
    }[];
    let matches = 0;
    for (const [i, { predicted, truth, minIou }] of cases.entries()) {
      const { aps, matches: pairs, ...counts } = answers[i]!;
      const result = await objectAccuracy(layer("found", predicted), layer("true", truth), { minIou });
      expect(result, `scene ${i}`).toMatchObject(counts);
      const ious = result.features.features.slice(0, predicted.length).map(({ properties }) => properties["iou"]);
      expect(ious.flatMap((iou, d) => (iou === null ? [] : [d]))).toEqual(pairs.map(([d]) => d));
      for (const [d, iou] of pairs) expect(ious[d]).toBeCloseTo(iou, 9);
      for (const { name, ap } of result.classes) {
        const theirs = aps[name ?? ""] ?? null;
        if (ap === null || theirs === null) expect(ap, `scene ${i}, ${name}`).toBe(theirs);
        else expect(ap, `scene ${i}, ${name}`).toBeCloseTo(theirs, 12);
      }
      matches += pairs.length;
    }
    expect(matches).toBeGreaterThan(1000);
  });

  test("classes by field: of both sides, of each its own, by the usual names, or one", async () => {
    const truth = layer("true", [square(0, 0, 10, { Class: "house", kind: "h" }), square(20, 0, 10, { Class: "tree", kind: "t" })]);
    const found = layer("found", [square(0, 0, 10, { class: "house", label: "h" }), square(20, 0, 10, { class: "house", label: "h" })]);
    const usual = await objectAccuracy(found, truth);
    expect(usual).toMatchObject({ truePositives: 1, falsePositives: 1, falseNegatives: 1, ap: null, meanAp: null, scoreField: null });
    expect(usual.classes).toMatchObject([
      { name: "house", truePositives: 1, falsePositives: 1, falseNegatives: 0 },
      { name: "tree", truePositives: 0, falsePositives: 0, falseNegatives: 1, precision: null, recall: 0 },
    ]);
    expect(await objectAccuracy(found, truth, { classField: { predicted: "label", truth: "kind" } })).toMatchObject({ truePositives: 1 });
    const unnamed = await objectAccuracy(
      layer(
        "found",
        found.features.map(({ geometry }) => ({ geometry, properties: {} })),
      ),
      truth,
    );
    expect(unnamed).toMatchObject({ truePositives: 2, classes: [{ name: null, truePositives: 2 }] });
    await expect(objectAccuracy(found, truth, { classField: "kind" })).rejects.toEqual(refusal("FIELD_MISSING"));
  });

  test("scores decide who comes first, and the curve; IoU exactly at the bound is enough", async () => {
    const truth = layer("true", [square(0, 0, 10), square(50, 0, 10)]);
    const found = layer("found", [
      square(0, 0, 10, { Confidence: "0.5" }),
      square(2, 0, 10, { Confidence: 0.9 }),
      square(90, 0, 10, { Confidence: 0.7 }),
    ]);
    const result = await objectAccuracy(found, truth);
    expect(result.features.features.map(({ properties }) => properties["accuracy"])).toEqual(["FP", "TP", "FP", "FN", "FN"].slice(0, 4));
    expect(result.ap).toBeCloseTo(0.5, 12);
    expect([...result.classes[0]!.curve!.precision]).toEqual([1, 1 / 2, 1 / 3]);
    expect((await objectAccuracy(found, truth, { minIou: 80 / 120 })).truePositives).toBe(1);
    // without scores the best fit comes first
    const plain = await objectAccuracy(
      layer(
        "found",
        found.features.map(({ geometry }) => ({ geometry, properties: {} })),
      ),
      truth,
    );
    expect(plain.features.features.map(({ properties }) => properties["accuracy"])).toEqual(["TP", "FP", "FP", "FN"]);
    await expect(objectAccuracy(found, truth, { scoreField: "score" })).rejects.toEqual(refusal("FIELD_MISSING"));
    const odd = layer("found", [square(0, 0, 10, { score: "high" })]);
    await expect(objectAccuracy(odd, truth)).rejects.toEqual(refusal("FIELD_MISSING"));
  });

  test("a mask leaves out what is not completely inside, and what was found of it", async () => {
    const truth = layer("true", [square(0, 0, 10), square(45, 0, 10), square(80, 0, 10)]);
    const found = layer("found", [
      square(1, 0, 10, { conf: 1 }),
      square(40.5, 0, 9.5, { conf: 0.9 }), // inside, of an object across the border: IoU too low
      square(45, 0, 10, { conf: 0.8 }),
      square(47, 20, 10, { conf: 0.8 }), // finds nothing, across the border
      square(80, 0, 10, { conf: 0.7 }),
      square(20, 20, 10, { conf: 0.6 }),
    ]);
    // two polygons side by side are one piece of land
    const mask = layer("mask", [square(-10, -10, 30), square(-10, 20, 30), square(20, -10, 30), square(20, 20, 30)]);
    const result = await objectAccuracy(found, truth, { mask });
    expect(result).toMatchObject({ truePositives: 1, falsePositives: 2, falseNegatives: 0, ignored: { predicted: 3, truth: 2 } });
    expect(result.features.features).toHaveLength(3);
    const inside = await objectAccuracy(layer("found", [square(46, 0, 4, { conf: 1 })]), truth, { mask, minIou: 0.1 });
    expect(inside).toMatchObject({ falsePositives: 0, ignored: { predicted: 1 } });
    await expect(objectAccuracy(found, truth, { mask: layer("mask", []) })).rejects.toEqual(refusal("FEATURES_EMPTY"));
  });

  test("in degrees: areas of the ground, and objects meet across 180 degrees", async () => {
    const degrees = parseCrs(4326);
    const at = (xs: [number, number], ys: [number, number] = [0, 60]): Feature => ({
      geometry: { type: "Polygon", coordinates: [[[xs[0], ys[0]], [xs[1], ys[0]], [xs[1], ys[1]], [xs[0], ys[1]], [xs[0], ys[0]]]] }, // prettier-ignore
      properties: {},
    });
    // of the ground between the equator and 60 degrees 0.576 lies south of 30 (PROJ: cea of WGS 84), of the degrees half
    const south = await objectAccuracy(layer("found", [at([0, 10], [0, 30])], degrees), layer("true", [at([0, 10])], degrees));
    expect(south.features.features[0]!.properties["iou"]).toBeCloseTo(0.5760584761195534, 10);
    const split: Feature = {
      geometry: {
        type: "MultiPolygon",
        coordinates: [at([179, 180]), at([-180, -179])].map(({ geometry }) => (geometry as { coordinates: Position[][] }).coordinates),
      },
      properties: {},
    };
    for (const [one, other] of [
      [split, at([179, 181])],
      [at([-181, -179]), split],
    ] as const) {
      const result = await objectAccuracy(layer("found", [one], degrees), layer("true", [other], degrees), { minIou: 0.999 });
      expect(result.truePositives).toBe(1);
    }
  });

  test("nothing on either side, features without geometry, boxes that cross themselves", async () => {
    const some = layer("some", [square(0, 0, 10, { conf: 1 })]);
    const none = layer("none", []);
    expect(await objectAccuracy(none, some)).toMatchObject({
      truePositives: 0,
      falseNegatives: 1,
      precision: null,
      recall: 0,
      f1: 0,
      classes: [{ name: null }],
    });
    expect(await objectAccuracy(some, none)).toMatchObject({ falsePositives: 1, precision: 0, recall: null, ap: null });
    expect(await objectAccuracy(none, none)).toMatchObject({ truePositives: 0, precision: null, recall: null, f1: null, ap: null });
    const warnings: Warning[] = [];
    const holey = layer("some", [...some.features, { geometry: null, properties: { conf: 1 } }]);
    expect(await objectAccuracy(holey, some, { onWarning: (warning) => warnings.push(warning) })).toMatchObject({
      truePositives: 1,
      falsePositives: 0,
    });
    expect(warnings.map(({ code }) => code)).toEqual(["FEATURES_WITHOUT_GEOMETRY"]);
    const bow = (side: number): Features =>
      layer("bow", [{ geometry: { type: "Polygon", coordinates: [[[0, 0], [side, side], [side, 0], [0, side], [0, 0]]] }, properties: {} }]); // prettier-ignore
    expect((await objectAccuracy(bow(10), bow(10), { minIou: 1 })).truePositives).toBe(1);
  });

  test("refuses points, one side without a system, odd bounds; stops when told", async () => {
    const some = layer("some", [square(0, 0, 10)]);
    const points = layer("points", [{ geometry: { type: "Point", coordinates: [0, 0] }, properties: {} }]);
    await expect(objectAccuracy(points, some)).rejects.toEqual(refusal("GEOMETRY_INVALID"));
    await expect(objectAccuracy(layer("plain", some.features, null), some)).rejects.toEqual(refusal("CRS_MISSING"));
    expect((await objectAccuracy(layer("plain", some.features, null), layer("plain", some.features, null))).truePositives).toBe(1);
    for (const minIou of [0, 1.5, Number.NaN])
      await expect(objectAccuracy(some, some, { minIou })).rejects.toEqual(refusal("INVALID_ARGUMENT"));
    await expect(objectAccuracy(some, some, { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: "AbortError" });
  });
});

test("Esri's table and the report", async () => {
  const folder = mkdtempSync(join(tmpdir(), "geolearn-accuracy-"));
  try {
    const classes = ["house, small", "<b>"];
    const objects = layer(
      "o",
      [0, 1, 2].map((i) => square(20 * i, 0, 10, { class: classes[i % 2]!, score: 1 - i / 10 })),
    );
    const result = await objectAccuracy(layer("f", objects.features.slice(0, 2)), objects);
    expect(accuracyTable(result).at(-1)).toEqual({
      Class: "All Classes",
      Precision: 1,
      Recall: 2 / 3,
      F1_Score: 0.8,
      AP: 0.75,
      True_Positive: 2,
      False_Positive: 0,
      False_Negative: 1,
    });
    await writeAccuracyTable(join(folder, "tables/accuracy.csv"), result);
    expect(readFileSync(join(folder, "tables/accuracy.csv"), "utf8")).toBe(
      `Class,Precision,Recall,F1_Score,AP,True_Positive,False_Positive,False_Negative\n<b>,1,1,1,1,1,0,0\n"house, small",1,0.5,${2 / 3},0.5,1,0,1\nAll Classes,1,${2 / 3},0.8,0.75,2,0,1\n`,
    );
    await writeAccuracyReport(join(folder, "report.html"), result);
    const page = readFileSync(join(folder, "report.html"), "utf8");
    expect(page).toContain("<td>house, small</td><td>100.0 %</td><td>50.0 %</td>");
    expect(page).not.toContain("<b>");
    expect(page.match(/<polyline/g)).toHaveLength(2);
    expect(page).not.toMatch(/NaN|undefined|https?:/);
    await expect(writeAccuracyTable(join(folder, "accuracy.txt"), result)).rejects.toEqual(refusal("UNSUPPORTED_FORMAT"));
    await expect(writeAccuracyReport(join(folder, "accuracy.pdf"), result)).rejects.toEqual(refusal("UNSUPPORTED_FORMAT"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

interface RandomScene {
  readonly predicted: Feature[];
  readonly truth: Feature[];
  readonly minIou: number;
  readonly scored: boolean;
}

/** Stars and boxes, found a little moved, some of another class, with few levels of scores; every third scene without scores. */
function randomScene(seed: number): RandomScene {
  const rng = createRng([seed, 4]);
  const scored = seed % 3 !== 0;
  const classes = seed % 4 === 0 ? null : ["house", "tree", "7"].slice(0, 1 + (seed % 3));
  const shape = (): Position[] => {
    const [x, y] = [ORIGIN[0] + rng.next() * 120, ORIGIN[1] + rng.next() * 120];
    if (rng.next() < 0.3) {
      const [width, height] = [4 + rng.int(16), 4 + rng.int(16)];
      return [[x, y], [x + width, y], [x + width, y + height], [x, y + height]]; // prettier-ignore
    }
    const corners = 4 + rng.int(20);
    return Array.from({ length: corners }, (_, i): Position => {
      const [angle, reach] = [((i + rng.next() * 0.8) / corners) * 2 * Math.PI, 12 * (0.4 + 0.6 * rng.next())];
      return [x + reach * Math.cos(angle), y + reach * Math.sin(angle)];
    });
  };
  const feature = (ring: Position[], properties: Feature["properties"]): Feature => ({
    geometry: { type: "Polygon", coordinates: [[...ring, ring[0]!]] },
    properties,
  });
  const named = (name: string | undefined): Feature["properties"] => (name === undefined ? {} : { class: name });
  const pick = (): string | undefined => (classes === null ? undefined : classes[rng.int(classes.length)]);
  const truth = Array.from({ length: rng.int(40) }, () => ({ ring: shape(), name: pick() }));
  const found = [
    ...truth.flatMap(({ ring, name }) =>
      Array.from({ length: rng.int(3) }, () => {
        const [dx, dy, grown] = [4 * rng.next() - 2, 4 * rng.next() - 2, 0.9 + 0.2 * rng.next()];
        const [cx, cy] = ring[0] as [number, number];
        const moved = ring.map(([x, y]): Position => [cx + (x! - cx) * grown + dx, cy + (y! - cy) * grown + dy]);
        return { ring: moved, name: rng.next() < 0.9 ? name : pick() };
      }),
    ),
    ...Array.from({ length: rng.int(12) }, () => ({ ring: shape(), name: pick() })),
  ];
  return {
    scored,
    minIou: [0.5, 0.3, 0.75, 0.05][seed % 4]!,
    truth: truth.map(({ ring, name }) => feature(ring, named(name))),
    predicted: found.map(({ ring, name }) => feature(ring, { ...named(name), ...(scored ? { score: rng.int(8) / 8 } : {}) })),
  };
}
