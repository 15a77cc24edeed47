/** Where in a checkpoint the weights are: at its top, or under a key such as `state_dict`. */

import { GeoLearnError } from "@geolearn/core";

import { type CheckpointValue, StoredTensor } from "./tensors.ts";

/** Keys that are known to hold weights, the best first. */
const KNOWN_KEYS = [
  "state_dict",
  "model_state_dict",
  "model_state",
  "model",
  "module",
  "net",
  "network",
  "weights",
  "params",
  "state_dict_ema",
  "model_ema",
  "ema",
];
const MAX_DEPTH = 8;

/** Weights found in a checkpoint. */
export interface NamedTensors {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Keys followed from the top, e.g. `["state_dict"]`. */
  readonly path: readonly string[];
}

/**
 * Follows {@link KNOWN_KEYS}, or the one entry that holds tensors by name, down to a dict of tensors. Whatever else is
 * there (epochs, optimizers, settings) is left alone.
 *
 * @throws UNSUPPORTED_FORMAT when there is no such dict, or several could be meant
 */
export function namedTensors(root: CheckpointValue, name: string): NamedTensors {
  const path: string[] = [];
  for (let value = root; path.length <= MAX_DEPTH;) {
    if (!(value instanceof Map)) throw nothingNamed(name, path, value);
    const tensors = tensorsOf(value);
    if (tensors.size > 0) return { tensors, path };
    const key = nextKey(value, name, path);
    path.push(key);
    value = value.get(key)!;
  }
  throw new GeoLearnError("LIMIT_EXCEEDED", `${name} nests its weights deeper than ${MAX_DEPTH} levels.`, { hint: hintToSave });
}

const hintToSave = 'In Python, save the weights alone: torch.save(model.state_dict(), "weights.pth").';

function tensorsOf(dict: ReadonlyMap<CheckpointValue, CheckpointValue>): Map<string, StoredTensor> {
  const tensors = new Map<string, StoredTensor>();
  for (const [key, value] of dict) if (typeof key === "string" && value instanceof StoredTensor) tensors.set(key, value);
  return tensors;
}

function nextKey(dict: ReadonlyMap<CheckpointValue, CheckpointValue>, name: string, path: readonly string[]): string {
  const known = KNOWN_KEYS.find((key) => dict.get(key) instanceof Map);
  if (known !== undefined) return known;
  // Each dict is looked at once, under however many keys it stands.
  const children = new Map<CheckpointValue, string>();
  for (const [key, value] of dict) if (typeof key === "string" && value instanceof Map && !children.has(value)) children.set(value, key);
  const holding = [...children].filter(([child]) => tensorsOf(child as Map<CheckpointValue, CheckpointValue>).size > 0);
  if (holding.length === 1) return holding[0]![1];
  if (holding.length === 0) throw nothingNamed(name, path, dict as Map<CheckpointValue, CheckpointValue>);
  const keys = holding.map(([, key]) => key.slice(0, 80));
  throw new GeoLearnError("UNSUPPORTED_FORMAT", `${name} holds several sets of weights: ${keys.slice(0, 8).join(", ")}.`, {
    hint: `Save the one you mean alone: in Python, torch.save(torch.load("file")["${keys[0]}"], "weights.pth").`,
    data: { keys },
  });
}

function named(key: CheckpointValue): string {
  return typeof key === "string" || typeof key === "number" ? String(key).slice(0, 40) : "?";
}

function nothingNamed(name: string, path: readonly string[], value: CheckpointValue): GeoLearnError {
  const keys = value instanceof Map ? [...value.keys()].map(named) : [];
  const what = value instanceof Map ? `a dict of ${keys.length === 0 ? "nothing" : keys.slice(0, 8).join(", ")}` : "no dict";
  const where = path.length === 0 ? "" : ` under ${path.join(".")}`;
  return new GeoLearnError("UNSUPPORTED_FORMAT", `${name} holds ${what}${where} where tensors with names were expected.`, {
    hint: hintToSave,
  });
}
