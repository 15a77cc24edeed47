/** What a trained model says about itself. */

import type { TileData } from "@geolearn/data-prep";
import type { ModelManifest } from "@geolearn/models";

import type { AnyData } from "../tasks/task.ts";
import type { LearnerCore } from "./core.ts";

/** The manifest of a learner's network. */
export function learnerPackage(
  { data, network, task, records, seed, engine }: LearnerCore,
  name: string,
  metrics: Readonly<Record<string, unknown>>,
): ModelManifest {
  const backbone = network.config["backbone"];
  return {
    task: data.task,
    name,
    modelType: network.modelType,
    backbone: typeof backbone === "string" ? backbone : null,
    config: network.config,
    classes: data.classes,
    bandNames: data.bandNames,
    bandIndices: data.bandIndices,
    sourceBands: data.sourceBands,
    sampleType: data.sampleType,
    statistics: data.statistics,
    chipWidth: data.chipWidth,
    chipHeight: data.chipHeight,
    ...cropOf(data),
    resolution: data.resolution,
    metrics,
    training: {
      epochs: records.length,
      seed,
      batchSize: data.batchSize,
      loss: task.describedLoss,
      trainingChips: data.train.count,
      validationChips: data.valid.count,
      device: engine.device,
      records,
    },
  };
}

/** How the chips of a classifier lay around their features, where that is known. */
function cropOf(data: AnyData): Pick<ModelManifest, "crop"> {
  const { crop = null } = data as Partial<Pick<TileData, "crop">>;
  return crop === null ? {} : { crop };
}
