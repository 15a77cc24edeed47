/** The architectures geolearn brings along, by the name the command line and model packages use. */

import { GeoLearnError } from "@geolearn/core";

import { featureClassifierBlueprint } from "../classifier/classifier.ts";
import { deepLabBlueprint } from "../deeplab/deeplab.ts";
import { pspNetBlueprint } from "../pspnet/pspnet.ts";
import { fasterRCNNBlueprint } from "../rcnn/faster-rcnn.ts";
import { maskRCNNBlueprint } from "../rcnn/mask-rcnn.ts";
import { retinaNetBlueprint } from "../retinanet/retinanet.ts";
import { unetBlueprint } from "../unet/unet.ts";
import type { AnyBlueprint } from "./blueprint.ts";

type BlueprintOf = (config: Readonly<Record<string, unknown>>) => AnyBlueprint;

const ARCHITECTURES: ReadonlyMap<string, BlueprintOf> = new Map<string, BlueprintOf>([
  ["unet", (config) => unetBlueprint(config as never)],
  ["deeplab", (config) => deepLabBlueprint(config as never)],
  ["pspnet", (config) => pspNetBlueprint(config as never)],
  ["feature-classifier", (config) => featureClassifierBlueprint(config as never)],
  ["retinanet", (config) => retinaNetBlueprint(config as never)],
  ["faster-rcnn", (config) => fasterRCNNBlueprint(config as never)],
  ["mask-rcnn", (config) => maskRCNNBlueprint(config as never)],
]);

/** Names {@link createBlueprint} knows. */
export function builtInTypes(): readonly string[] {
  return [...ARCHITECTURES.keys()];
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
  const blueprintOf = ARCHITECTURES.get(modelType);
  if (!blueprintOf) {
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `There is no architecture "${modelType.slice(0, 80)}"; known are ${builtInTypes().join(", ")}.`,
      {
        hint: "Update geolearn if a newer version wrote the model.",
        data: { modelType: modelType.slice(0, 80) },
      },
    );
  }
  return blueprintOf(config);
}

/** An encoder in words, from the `backbone` of a configuration. */
export function encoderName(backbone: unknown): string {
  return typeof backbone === "string" ? backbone : "a plain encoder";
}
