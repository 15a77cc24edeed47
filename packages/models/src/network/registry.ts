/** Networks by name: those of geolearn, and those a program has defined. */

import { GeoLearnError } from "@geolearn/core";

import { definedModel, definedTypes } from "../extension/defined.ts";
import { instantiateExtension } from "../extension/instantiate.ts";
import type { Network } from "../network.ts";
import { builtInTypes, createBlueprint, isBuiltIn } from "./architectures.ts";
import { instantiate, type CreateNetworkOptions } from "./instantiate.ts";

/** Names {@link createNetwork} knows: the architectures of geolearn and what `defineModel` has added. */
export function modelTypes(): readonly string[] {
  return [...builtInTypes(), ...definedTypes()];
}

/**
 * Builds a network from the name and configuration a model package keeps. `startEngine` must have finished.
 *
 * @throws MODEL_NOT_DEFINED for a name nobody has defined; INVALID_ARGUMENT for a configuration the architecture cannot take; MODEL_INVALID for a
 * network of a user's own that breaks its contract
 *
 * @example
 * const network = createNetwork("unet", { bands: 4, classes: 2, backbone: "resnet18" }, { seed: 7 });
 */
export function createNetwork(modelType: string, config: Readonly<Record<string, unknown>>, options: CreateNetworkOptions = {}): Network {
  if (isBuiltIn(modelType)) return instantiate(createBlueprint(modelType, config), options);
  const extension = definedModel(modelType);
  if (extension !== null) return instantiateExtension(extension, config, options);
  throw new GeoLearnError("MODEL_NOT_DEFINED", `There is no model "${modelType.slice(0, 80)}"; known are ${modelTypes().join(", ")}.`, {
    hint: "If it is a network of your own, import the module that calls defineModel() first; a network of geolearn may need a newer version.",
    data: { modelType: modelType.slice(0, 80) },
  });
}
