/** Networks by name: those of geolearn, and those a program has defined. */

import { GeoLearnError, type Task } from "@geolearn/core";

import { definedModel, definedTypes } from "../extension/defined.ts";
import { instantiateExtension } from "../extension/instantiate.ts";
import type { AnyNetwork, Network, ObjectNetwork, TileNetwork } from "../network.ts";
import { builtInTask, builtInTypes, createBlueprint, isBuiltIn } from "./architectures.ts";
import type { AnyBlueprint } from "./blueprint.ts";
import { type CreateNetworkOptions, instantiate, instantiateObjects, instantiateTiles } from "./instantiate.ts";

/** Names {@link createNetwork} knows: the architectures of geolearn and what `defineModel` has added. */
export function modelTypes(): readonly string[] {
  return [...builtInTypes(), ...definedTypes()];
}

/**
 * The task a network is made for.
 *
 * @throws MODEL_NOT_DEFINED for a name nobody has defined
 * @example
 * modelTask("retinanet"); // "objectDetection"
 */
export function modelTask(modelType: string): Task {
  const task = builtInTask(modelType) ?? definedModel(modelType)?.task ?? null;
  if (task === null) throw notDefined(modelType);
  return task;
}

/** Options of {@link createNetwork}. */
export interface CreateAnyNetworkOptions<T extends Task = Task> extends CreateNetworkOptions {
  /** What the network must be made for. @defaultValue whatever it is: its `task` tells */
  readonly task?: T;
}

/** The network of a task. */
export type NetworkOf<T extends Task> = T extends "pixelClassification"
  ? Network
  : T extends ObjectNetwork["task"]
    ? ObjectNetwork
    : TileNetwork;

/**
 * Builds a network from the name and configuration a model package keeps. `startEngine` must have finished.
 *
 * @throws MODEL_NOT_DEFINED for a name nobody has defined; TASK_MISMATCH for a network of another task; INVALID_ARGUMENT for a configuration the
 * architecture cannot take; MODEL_INVALID for a network of a user's own that breaks its contract
 *
 * @example
 * const network = createNetwork("unet", { bands: 4, classes: 2, backbone: "resnet18" }, { seed: 7, task: "pixelClassification" });
 */
export function createNetwork<T extends Task = Task>(
  modelType: string,
  config: Readonly<Record<string, unknown>>,
  { task, ...options }: CreateAnyNetworkOptions<T> = {},
): NetworkOf<T> {
  if (isBuiltIn(modelType)) {
    const blueprint = createBlueprint(modelType, config);
    checkTask(modelType, blueprint.task, task);
    return instantiateAny(blueprint, options) as NetworkOf<T>;
  }
  const extension = definedModel(modelType);
  if (extension === null) throw notDefined(modelType);
  checkTask(modelType, extension.task, task);
  return instantiateExtension(extension, config, options) as AnyNetwork as NetworkOf<T>;
}

function instantiateAny(blueprint: AnyBlueprint, options: CreateNetworkOptions): AnyNetwork {
  if (blueprint.task === "pixelClassification") return instantiate(blueprint, options);
  return blueprint.task === "objectClassification" ? instantiateTiles(blueprint, options) : instantiateObjects(blueprint, options);
}

function checkTask(modelType: string, task: Task, wanted: Task | undefined): void {
  if (wanted === undefined || wanted === task) return;
  throw new GeoLearnError("TASK_MISMATCH", `The ${modelType} network is made for ${task}, not for ${wanted}.`, {
    hint: `Use it for ${task}, or choose another network.`,
    data: { task, wanted },
  });
}

function notDefined(modelType: string): GeoLearnError {
  return new GeoLearnError("MODEL_NOT_DEFINED", `There is no model "${modelType.slice(0, 80)}"; known are ${modelTypes().join(", ")}.`, {
    hint: "If it is a network of your own, import the module that calls defineModel() first; a network of geolearn may need a newer version.",
    data: { modelType: modelType.slice(0, 80) },
  });
}
