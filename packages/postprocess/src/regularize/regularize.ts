/**
 * Building footprints with straight walls, as Esri's Regularize Building Footprint makes them. Walls are fitted by least squares to
 * what the outline's pieces are divided into by dynamic programming; buildings that adjoin share their walls.
 */

import { type Bounds, type Feature, type FeatureStream, type Features, geometryBounds } from "@geolearn/core";

import { regularizeCluster } from "./cluster.ts";
import { Clusters } from "./clusters.ts";
import { Frames } from "./frame.ts";
import { GeometryKinds } from "./geometry-kinds.ts";
import { type RegularizeOptions, type RegularizePlan, makeRegularizePlan } from "./options.ts";

/** Positions of features that wait for their neighbours: about 200 MB. */
const MAX_WAITING = 2_000_000;
/** Features between two looks at what else there is to do. */
const BREATH = 64;

/**
 * Regularizes footprints one after another, in their order. Each keeps its properties and gets `STATUS`: 0 done, 1 no solution within
 * the tolerance (or no polygon), and then its geometry is what it was. Rings of the result are valid, have no wall shorter than the
 * tolerance and no point farther from the former outline; the area stays. Holes take the directions of the outer ring; those smaller
 * than a square of the tolerance are filled. Features that touch or overlap share their walls, as do those
 * nearby that would overlap otherwise: nothing overlaps more than it did. Heights are dropped.
 *
 * The features are read twice: for their boxes, and for the work. Memory holds the boxes (40 bytes a feature) and features that wait
 * for a neighbour further on, at most two million positions; beyond, they go on without it, with a warning `NEIGHBOURS_APART`. Points and
 * lines among polygons are copied, with `STATUS` 1 and a warning `FEATURES_NOT_POLYGONS`.
 *
 * @throws INVALID_ARGUMENT; GEOMETRY_INVALID for a layer of points or lines; what reading the features throws
 * @example
 * const footprints = await openFeatures("buildings.gpkg");
 * await writeFeatures(regularize(footprints, { tolerance: 1 }), "regular.gpkg", { crs: footprints.crs });
 */
export async function* regularize(features: Features | FeatureStream, options: RegularizeOptions): AsyncGenerator<Feature> {
  const plan = makeRegularizePlan(options, features.crs);
  const { signal, onProgress, onWarning } = options;
  const boxes: (Bounds | null)[] = [];
  const kinds = new GeometryKinds();
  const frames = new Frames(features.crs);
  for await (const feature of each(features)) {
    signal?.throwIfAborted();
    kinds.add(feature);
    boxes.push(boxOf(feature, frames, plan));
  }
  kinds.tell(features.name, onWarning);
  const total = boxes.length;
  onProgress?.({ stage: "regularize", done: 0, total, unit: "footprints" });
  const clusters = new Clusters(boxes);
  let waiting: (Feature | null)[] = [];
  let done = new Map<number, Feature>();
  let [first, index, positions, apart, breath] = [0, 0, 0, 0, 0];
  for await (const feature of each(features)) {
    signal?.throwIfAborted();
    waiting.push(feature);
    positions += countPositions(feature);
    const whole = clusters.endsWith(index);
    const members = whole ? clusters.members(index) : positions > MAX_WAITING ? clusters.open(first, index) : [];
    if (!whole && members.length > 0) apart++;
    const unsolved = members.filter((member) => member >= first && member <= index && !done.has(member));
    if (unsolved.length > 0) {
      const solved = regularizeCluster(
        unsolved.map((member) => waiting[member - first]!),
        frames,
        plan,
      );
      for (const [k, member] of unsolved.entries()) done.set(member, solved[k]!);
    }
    index++;
    while (done.has(first)) {
      positions -= countPositions(waiting[0]!);
      yield done.get(first)!;
      done.delete(first);
      waiting.shift();
      first++;
    }
    if (++breath < BREATH) continue;
    breath = 0;
    onProgress?.({ stage: "regularize", done: first, total, unit: "footprints" });
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  waiting = [];
  done = new Map();
  onProgress?.({ stage: "regularize", done: total, total, unit: "footprints" });
  if (apart === 0) return;
  onWarning?.({
    code: "NEIGHBOURS_APART",
    message: `${features.name} has neighbours too far apart in the file to be held together; their walls may differ.`,
    hint: "Sort the features by place.",
  });
}

/**
 * {@link regularize} for features in memory, in one go.
 *
 * @throws INVALID_ARGUMENT; GEOMETRY_INVALID for a layer of points or lines
 * @example
 * const regular = regularizeFeatures(await readFeatures("buildings.gpkg"), { method: "rightAnglesAndDiagonals", tolerance: 1 });
 */
export function regularizeFeatures(features: Features, options: RegularizeOptions): Features {
  const plan = makeRegularizePlan(options, features.crs);
  const { signal, onProgress, onWarning } = options;
  const kinds = new GeometryKinds();
  for (const feature of features.features) kinds.add(feature);
  kinds.tell(features.name, onWarning);
  const frames = new Frames(features.crs);
  const clusters = new Clusters(features.features.map((feature) => boxOf(feature, frames, plan)));
  const total = features.features.length;
  const regular = new Array<Feature>(total);
  for (let index = 0; index < total; index++) {
    if (index % BREATH === 0) onProgress?.({ stage: "regularize", done: index, total, unit: "footprints" });
    signal?.throwIfAborted();
    if (!clusters.endsWith(index)) continue;
    const members = clusters.members(index);
    const solved = regularizeCluster(
      members.map((member) => features.features[member]!),
      frames,
      plan,
    );
    for (const [k, member] of members.entries()) regular[member] = solved[k]!;
  }
  onProgress?.({ stage: "regularize", done: total, total, unit: "footprints" });
  return { name: features.name, crs: features.crs, features: regular };
}

async function* each(features: Features | FeatureStream): AsyncGenerator<Feature> {
  if ("features" in features) yield* features.features;
  else yield* features;
}

/** The box that a feature's result stays in. */
function boxOf({ geometry }: Feature, frames: Frames, { tolerance }: RegularizePlan): Bounds | null {
  const box = geometryBounds(geometry);
  return box === null ? null : frames.around(box, tolerance);
}

function countPositions({ geometry }: Feature): number {
  if (geometry?.type === "Polygon") return geometry.coordinates.reduce((sum, ring) => sum + ring.length, 1);
  if (geometry?.type === "MultiPolygon")
    return geometry.coordinates.reduce((sum, polygon) => polygon.reduce((all, ring) => all + ring.length, sum), 1);
  return 1;
}
