/** Everything that computes, away from the page: rasters, the network, the map. */

import { GeoLearnError, type Raster, openRaster, renderBands } from "@geolearn/core";
import { startEngine } from "@geolearn/engine";
import { type ClassifiedImage, classifyImage } from "@geolearn/inference";
import { type ModelPackage, encodeModelPackage, readModelPackage } from "@geolearn/models";

import type { EngineSummary, MapSummary, ModelSummary, Question, Reply, SceneSummary, Tasks, TrainingSummary } from "./messages.ts";
import { trainSteps } from "./train.ts";

/** Longest side of the picture of a scene. */
const PICTURE_SIDE = 2048;

let model: ModelPackage | null = null;
let scene: Raster | null = null;
let map: ClassifiedImage | null = null;

type Progress = (done: number, total: number) => void;

const given = <T>(value: T | null, what: string): T => {
  if (value !== null) return value;
  throw new GeoLearnError("INVALID_ARGUMENT", `There is no ${what} yet.`, { hint: `Open a ${what} first.` });
};

const tasks: { [T in keyof Tasks]: (ask: Tasks[T]["ask"], progress: Progress) => Promise<Tasks[T]["answer"]> } = {
  async start({ device, assets }): Promise<EngineSummary> {
    return startEngine({ device, assets });
  },

  async openModel({ file }): Promise<ModelSummary> {
    model = await readModelPackage(new Uint8Array(await file.arrayBuffer()));
    const { manifest, weights } = model;
    const parameters = [...weights.values()].reduce((sum, { data }) => sum + data.length, 0);
    const { name, modelType, bandNames, classes, chipWidth, chipHeight } = manifest;
    return { name, modelType, bandNames, classes, chipSize: [chipWidth, chipHeight], parameters };
  },

  async openScene({ file }): Promise<SceneSummary> {
    await scene?.close();
    map = null;
    scene = await openRaster(file);
    const { name, width, height, bands, sampleType, crs, transform } = scene;
    const scale = Math.min(1, PICTURE_SIDE / Math.max(width, height));
    const reduced = { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
    const picture = renderBands(await scene.read(undefined, { ...reduced, resampling: "average" }));
    return { name, width, height, bands, sampleType, crs: crs?.name ?? null, transform, picture };
  },

  async classify({ overlap }, progress): Promise<MapSummary> {
    map = await classifyImage(given(model, "model"), given(scene, "scene"), {
      overlap,
      onProgress: ({ done, total }) => progress(done, total ?? 0),
    });
    const { width, height, nodata, data, pixels, windows, seconds } = map;
    return { width, height, nodata, values: data as MapSummary["values"], pixels, windows, seconds };
  },

  encodeMap: () => given(map, "map").toGeoTiff(),

  async train({ labels, steps, learningRate }, progress): Promise<TrainingSummary> {
    const started = performance.now();
    const truth = await openRaster(labels);
    const former = given(model, "model");
    const { losses, weights } = await trainSteps(former, given(scene, "scene"), truth, {
      ...{ steps, learningRate },
      onStep: (step) => progress(step, steps),
    });
    await truth.close();
    model = { ...former, weights };
    return { losses, seconds: (performance.now() - started) / 1000 };
  },

  encodeModel: () => encodeModelPackage(given(model, "model")),
};

self.onmessage = async ({ data: { id, task, ask } }: MessageEvent<Question>) => {
  const say = (reply: Reply): void => self.postMessage(reply);
  try {
    const work = tasks[task] as (ask: unknown, progress: Progress) => Promise<unknown>;
    const answer = await work(ask, (done, total) => say({ id, kind: "progress", done, total }));
    say({ id, kind: "answer", answer });
  } catch (error) {
    const own = GeoLearnError.is(error) ? error : null;
    const message = error instanceof Error ? error.message : String(error);
    say({ id, kind: "failure", code: own?.code ?? "UNKNOWN", message, hint: own?.hint ?? null });
  }
};
