/** The architectures geolearn brings along, by the name the command line and model packages use. */

import { GeoLearnError, type Task } from "@geolearn/core";

import { centerMaskBlueprint } from "../centermask/center-mask.ts";
import { featureClassifierBlueprint } from "../classifier/classifier.ts";
import { changeDetectorBlueprint } from "../changedetector/change-detector.ts";
import { deepLabBlueprint } from "../deeplab/deeplab.ts";
import { fcosBlueprint } from "../fcos/fcos.ts";
import { pspNetBlueprint } from "../pspnet/pspnet.ts";
import { fasterRCNNBlueprint } from "../rcnn/faster-rcnn.ts";
import { maskRCNNBlueprint } from "../rcnn/mask-rcnn.ts";
import { retinaNetBlueprint } from "../retinanet/retinanet.ts";
import { ssdBlueprint } from "../ssd/ssd.ts";
import { unetBlueprint } from "../unet/unet.ts";
import type { AnyBlueprint } from "./blueprint.ts";

interface BuiltIn {
  readonly task: Task;
  readonly blueprintOf: (config: Readonly<Record<string, unknown>>) => AnyBlueprint;
}

const ARCHITECTURES: ReadonlyMap<string, BuiltIn> = new Map<string, BuiltIn>([
  ["unet", { task: "pixelClassification", blueprintOf: (config) => unetBlueprint(config as never) }],
  ["deeplab", { task: "pixelClassification", blueprintOf: (config) => deepLabBlueprint(config as never) }],
  ["pspnet", { task: "pixelClassification", blueprintOf: (config) => pspNetBlueprint(config as never) }],
  ["change-detector", { task: "pixelClassification", blueprintOf: (config) => changeDetectorBlueprint(config as never) }],
  ["feature-classifier", { task: "objectClassification", blueprintOf: (config) => featureClassifierBlueprint(config as never) }],
  ["retinanet", { task: "objectDetection", blueprintOf: (config) => retinaNetBlueprint(config as never) }],
  ["fcos", { task: "objectDetection", blueprintOf: (config) => fcosBlueprint(config as never) }],
  ["ssd", { task: "objectDetection", blueprintOf: (config) => ssdBlueprint(config as never) }],
  ["faster-rcnn", { task: "objectDetection", blueprintOf: (config) => fasterRCNNBlueprint(config as never) }],
  ["centermask", { task: "instanceSegmentation", blueprintOf: (config) => centerMaskBlueprint(config as never) }],
  ["mask-rcnn", { task: "instanceSegmentation", blueprintOf: (config) => maskRCNNBlueprint(config as never) }],
]);

/** Names {@link createBlueprint} knows. */
export function builtInTypes(): readonly string[] {
  return [...ARCHITECTURES.keys()];
}

/** The task of one of geolearn's architectures; null for a name it does not know. */
export function builtInTask(modelType: string): Task | null {
  return ARCHITECTURES.get(modelType)?.task ?? null;
}

/** Whether geolearn itself has an architecture of this name. */
export function isBuiltIn(modelType: string): boolean {
  return ARCHITECTURES.has(modelType);
}

/**
 * The parameters and layers of an architecture, without weights and without an engine.
 *
 * @throws INVALID_ARGUMENT for an unknown architecture or a configuration it cannot take
 */
export function createBlueprint(modelType: string, config: Readonly<Record<string, unknown>>): AnyBlueprint {
  const architecture = ARCHITECTURES.get(modelType);
  if (!architecture) {
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `There is no architecture "${modelType.slice(0, 80)}"; known are ${builtInTypes().join(", ")}.`,
      {
        hint: "Update geolearn if a newer version wrote the model.",
        data: { modelType: modelType.slice(0, 80) },
      },
    );
  }
  return architecture.blueprintOf(config);
}

/** An encoder in words, from the `backbone` of a configuration. */
export function encoderName(backbone: unknown): string {
  return typeof backbone === "string" ? backbone : "a plain encoder";
}
