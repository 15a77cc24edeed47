/**
 * Our side of the benchmark of regularizing footprints, as a program of its own:
 *
 *     regularize-program.ts make COUNT SEED FILE PITCH   ragged outlines of L-shaped buildings of about 200 points, so many metres from one to the next, as
 *                                                        newline GeoJSON in metres
 *     regularize-program.ts run FILE                     regularizes them in memory and prints {seconds, count, solved, vertices}
 *     regularize-program.ts stream FILE OUT              from file to file; prints {seconds, count}
 */

import { closeSync, openSync, readFileSync, writeSync } from "node:fs";

import { type Feature, type Features, createRng, openFeatures, writeFeatures } from "@geolearn/core";
import { regularize, regularizeFeatures } from "@geolearn/postprocess";

/** An L of two boxes, turned: a point every 0.26 m, those between corners moved across the wall by noise. */
function makeOutline(x: number, y: number, seed: number): number[][] {
  const rng = createRng([seed, 1]);
  const [w, h, angle] = [11 + 4 * rng.next(), 11 + 4 * rng.next(), Math.PI * rng.next()];
  const corners = [
    [0, 0],
    [w, 0],
    [w, h / 2],
    [w / 2, h / 2],
    [w / 2, h],
    [0, h],
    [0, 0],
  ] as const;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const points: number[][] = [];
  for (let k = 0; k < 6; k++) {
    const [[ax, ay], [bx, by]] = [corners[k]!, corners[k + 1]!];
    const long = Math.hypot(bx - ax, by - ay);
    const parts = Math.ceil(long / 0.26);
    for (let part = 0; part < parts; part++) {
      const off = part === 0 ? 0 : Math.max(-0.25, Math.min(0.25, 0.15 * rng.normal()));
      const [px, py] = [
        ax + (part / parts) * (bx - ax) + (off * (by - ay)) / long,
        ay + (part / parts) * (by - ay) - (off * (bx - ax)) / long,
      ];
      points.push([x + cos * px - sin * py, y + sin * px + cos * py]);
    }
  }
  points.push(points[0]!);
  return points.map((position) => position.map((value) => Math.round(1000 * value) / 1000));
}

function make(count: number, seed: number, file: string, pitch: number): void {
  const side = Math.ceil(Math.sqrt(count));
  const out = openSync(file, "w");
  for (let k = 0; k < count; k++) {
    const outline = makeOutline(pitch * (k % side), pitch * Math.floor(k / side), seed + k);
    writeSync(out, `${JSON.stringify({ type: "Feature", properties: {}, geometry: { type: "Polygon", coordinates: [outline] } })}\n`);
  }
  closeSync(out);
}

function run(file: string): void {
  const features = readFileSync(file, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Feature);
  const layer: Features = { name: "footprints", crs: null, features };
  const started = performance.now();
  const regular = regularizeFeatures(layer, { method: "rightAngles", tolerance: 1 });
  const seconds = (performance.now() - started) / 1000;
  const solved = regular.features.filter(({ properties }) => properties["STATUS"] === 0).length;
  const vertices = features.reduce((sum, { geometry }) => sum + (geometry as { coordinates: number[][][] }).coordinates[0]!.length - 1, 0);
  console.log(JSON.stringify({ seconds, count: features.length, solved, vertices: vertices / features.length }));
}

async function stream(file: string, out: string): Promise<void> {
  const started = performance.now();
  // metres, whatever the file may say: newline GeoJSON is in degrees otherwise
  const footprints = await openFeatures(file, { crs: 32633 });
  const count = await writeFeatures(regularize(footprints, { tolerance: 1 }), out, { crs: footprints.crs });
  console.log(JSON.stringify({ seconds: (performance.now() - started) / 1000, count }));
}

const [task, ...args] = process.argv.slice(2);
if (task === "make") make(Number(args[0]), Number(args[1]), args[2]!, Number(args[3]));
else if (task === "run") run(args[0]!);
else await stream(args[0]!, args[1]!);
