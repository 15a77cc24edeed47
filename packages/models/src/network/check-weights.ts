/** Do these weights belong to this network? */

import { GeoLearnError } from "@geolearn/core";
import type { HostTensor } from "@geolearn/engine";

import { type ParameterSpec, sizeOf } from "./parameter-spec.ts";

/**
 * Compares names and shapes.
 *
 * @throws WEIGHTS_MISMATCH that lists missing, unknown and wrongly shaped names
 */
export function checkWeights(
  parameters: readonly Pick<ParameterSpec, "name" | "shape">[],
  weights: ReadonlyMap<string, HostTensor>,
  what: string,
): void {
  const known = new Set(parameters.map((p) => p.name));
  const missing = parameters.filter((p) => !weights.has(p.name)).map((p) => p.name);
  const unknown = [...weights.keys()].filter((name) => !known.has(name));
  const misshaped: string[] = [];
  for (const { name, shape } of parameters) {
    const tensor = weights.get(name);
    if (!tensor) continue;
    const sound = tensor.dtype === "float32" && tensor.data.length === sizeOf(tensor.shape) && sameShape(tensor.shape, shape);
    if (!sound) misshaped.push(`${name} is [${tensor.shape.join(", ")}] instead of [${shape.join(", ")}]`);
  }
  if (missing.length + unknown.length + misshaped.length === 0) return;
  const parts = [
    missing.length > 0 ? `missing: ${list(missing)}` : "",
    unknown.length > 0 ? `unknown: ${list(unknown)}` : "",
    misshaped.length > 0 ? `of another shape: ${list(misshaped)}` : "",
  ].filter((part) => part !== "");
  throw new GeoLearnError("WEIGHTS_MISMATCH", `${what} and the weights do not belong together; ${parts.join("; ")}.`, {
    hint: "Use the weights with the network they were saved from, or adaptWeights() to fine-tune for other classes or bands.",
    data: { missing, unknown, misshaped },
  });
}

/** True for equal shapes. */
export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((side, i) => side === b[i]);
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, 6).map((name) => (name.length > 120 ? `${name.slice(0, 117)}...` : name));
  return names.length > shown.length ? `${shown.join(", ")} and ${names.length - shown.length} more` : shown.join(", ");
}
