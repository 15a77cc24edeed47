/**
 * Parameters of a user's network under names that stay. A layer of tf.layers without a name of its own bears a number that counts through the whole
 * process; here it is named by its kind and its place among the layers of that kind.
 */

import { GeoLearnError } from "@geolearn/core";
import type * as tf from "@tensorflow/tfjs";

import type { Parameter } from "../network.ts";
import type { ExtensionNetwork } from "./extension.ts";

/** @throws MODEL_INVALID for variables that cannot be kept, or a backbone that is none of them */
export function parametersOf(modelType: string, { variables, backbone = [] }: ExtensionNetwork): readonly Parameter[] {
  const found = isLayersModel(variables) ? ofLayers(modelType, variables) : ofRecord(modelType, variables);
  const holders = new Map<tf.Variable, string>();
  for (const { name, variable } of found) {
    const other = holders.get(variable);
    if (other !== undefined) throw invalid(modelType, `"${name}" and "${other}" are one variable`, "Name each variable once.");
    holders.set(variable, name);
    if (variable.dtype !== "float32") throw invalid(modelType, `"${name}" is ${variable.dtype}`, "Make it a variable of float32.");
  }
  const belongs = (name: string, part: string): boolean => name === part || name.startsWith(`${part}.`);
  const unknown = backbone.find((part) => !found.some(({ name }) => belongs(name, part)));
  if (unknown !== undefined) {
    const names = found.map(({ name }) => name);
    throw invalid(
      modelType,
      `its backbone names "${unknown}", and no parameter begins so`,
      `The parameters are ${names.slice(0, 8).join(", ")}${names.length > 8 ? ", ..." : ""}.`,
    );
  }
  return found.map((each) => ({ ...each, backbone: backbone.some((part) => belongs(each.name, part)) }));
}

type Named = Omit<Parameter, "backbone">;

/** A model of tf.layers, whichever copy of tfjs made it. */
export function isLayersModel(variables: ExtensionNetwork["variables"]): variables is tf.LayersModel {
  return Array.isArray((variables as { readonly layers?: unknown }).layers);
}

function ofRecord(modelType: string, variables: Readonly<Record<string, tf.Variable>>): Named[] {
  return Object.entries(variables).map(([name, variable]) => {
    if (name === "" || name.length > 500 || name === "__metadata__") {
      throw invalid(modelType, `"${name.slice(0, 80)}" is no name of a variable`, 'Use names such as "head.kernel".');
    }
    if (typeof (variable as { assign?: unknown } | null)?.assign !== "function") {
      throw invalid(modelType, `"${name}" is no variable`, "Make it by tf.variable(...).");
    }
    return { name, variable, trainable: variable.trainable };
  });
}

/** What is read of a layer's weights; tfjs declares some of it private. */
interface LayerWeight {
  readonly originalName: string;
  readonly constraint: unknown;
  read(): tf.Tensor;
}

interface AnyLayer {
  readonly name: string;
  readonly weights: readonly LayerWeight[];
  readonly trainableWeights: readonly LayerWeight[];
  /** Regularizers. */
  readonly losses: readonly unknown[];
  readonly layers?: readonly AnyLayer[];
}

/** Whether layers want something added to the loss. */
export function hasRegularizers(model: tf.LayersModel): boolean {
  const has = ({ layers, losses }: AnyLayer): boolean => (layers === undefined ? losses.length > 0 : layers.some(has));
  return has(model as unknown as AnyLayer);
}

function ofLayers(modelType: string, model: tf.LayersModel): Named[] {
  const trained = new Set(model.trainableWeights as unknown as readonly LayerWeight[]);
  const found: Named[] = [];
  const names = new Set<string>();
  const walk = (layers: readonly AnyLayer[], prefix: string): void => {
    const counts = new Map<string, number>();
    for (const layer of layers) {
      if (layer.weights.length === 0) continue;
      const kind = automaticKind(layer);
      const place = counts.get(kind ?? "") ?? 0;
      if (kind !== null) counts.set(kind, place + 1);
      const name = `${prefix}${kind === null ? layer.name : `${kind}.${place}`}`;
      if (layer.layers !== undefined) {
        walk(layer.layers, `${name}.`);
        continue;
      }
      for (const weight of layer.weights) {
        const full = unused(`${name}.${weight.originalName.slice(weight.originalName.lastIndexOf("/") + 1)}`, names);
        if (weight.constraint) throw invalid(modelType, `"${full}" has a constraint, which training here does not apply`, "Leave the constraint out."); // prettier-ignore
        found.push({ name: full, variable: weight.read() as tf.Variable, trainable: trained.has(weight) });
      }
    }
  };
  walk(model.layers as unknown as readonly AnyLayer[], "");
  return found;
}

/** `conv2d` for `conv2d_Conv2D12`, `sequential` for a model `sequential_3`; null for a name somebody gave. */
function automaticKind({ name, layers }: AnyLayer): string | null {
  if (layers !== undefined) return /^(sequential|model|functional)_?\d+$/.exec(name)?.[1] ?? null;
  const match = /^([a-z0-9_]+)_([A-Za-z0-9]*[A-Za-z])\d+$/.exec(name);
  return match !== null && match[1]!.replaceAll("_", "") === match[2]!.toLowerCase() ? match[1]! : null;
}

/** Two weights of one layer may have one name: those of a layer that wraps others. */
function unused(name: string, names: Set<string>): string {
  let free = name;
  for (let n = 1; names.has(free); n++) free = `${name}.${n}`;
  names.add(free);
  return free;
}

function invalid(modelType: string, what: string, hint: string): GeoLearnError {
  return new GeoLearnError("MODEL_INVALID", `The variables of the model "${modelType}" cannot be kept: ${what}.`, {
    hint,
    data: { modelType },
  });
}
