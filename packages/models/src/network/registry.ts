/** The architectures, by the name the command line and model packages use. */

import { GeoLearnError } from "@geolearn/core";

import type { Network } from "../network.ts";
import { unetBlueprint } from "../unet/unet.ts";
import type { Blueprint } from "./blueprint.ts";
import { instantiate, type CreateNetworkOptions } from "./instantiate.ts";

type BlueprintOf = (config: Readonly<Record<string, unknown>>) => Blueprint;

const ARCHITECTURES: ReadonlyMap<string, BlueprintOf> = new Map<string, BlueprintOf>([
  ["unet", (config) => unetBlueprint(config as never)],
]);

/** Names {@link createNetwork} knows. */
export function modelTypes(): readonly string[] {
  return [...ARCHITECTURES.keys()];
}

/**
 * The parameters and layers of an architecture, without weights and without an engine.
 *
 * @throws INVALID_ARGUMENT for an unknown architecture or a configuration it cannot take
 */
export function createBlueprint(modelType: string, config: Readonly<Record<string, unknown>>): Blueprint {
  const blueprintOf = ARCHITECTURES.get(modelType);
  if (!blueprintOf) {
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `There is no architecture "${modelType.slice(0, 80)}"; known are ${modelTypes().join(", ")}.`,
      {
        hint: "Update geolearn if a newer version wrote the model.",
        data: { modelType: modelType.slice(0, 80) },
      },
    );
  }
  return blueprintOf(config);
}

/**
 * Builds a network from the name and configuration a model package keeps. `startEngine` must have finished.
 *
 * @throws INVALID_ARGUMENT for an unknown architecture or a configuration it cannot take
 *
 * @example
 * const network = createNetwork("unet", { bands: 4, classes: 2, backbone: "resnet18" }, { seed: 7 });
 */
export function createNetwork(modelType: string, config: Readonly<Record<string, unknown>>, options: CreateNetworkOptions = {}): Network {
  return instantiate(createBlueprint(modelType, config), options);
}

/** An encoder in words, from the `backbone` of a configuration. */
export function encoderName(backbone: unknown): string {
  return typeof backbone === "string" ? backbone : "a plain encoder";
}
