/** The classes of a model that labels can have. */

import type { ClassDefinition } from "@geolearn/core";

import type { ModelManifest } from "../manifest.ts";

/**
 * Classes of a model as chips have them. Detectors of others count the background among their labels, and no object is that: a class of value 0
 * called "background" of a package around an ONNX file that finds objects is left out.
 */
export function labelledClasses({ classes, graph }: ModelManifest): readonly ClassDefinition[] {
  if (graph?.output.kind !== "objects") return classes;
  return classes.filter(({ value, name }) => value !== 0 || name.toLowerCase() !== "background");
}
