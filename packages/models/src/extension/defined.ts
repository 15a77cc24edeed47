/** The networks this program has defined. */

import { GeoLearnError } from "@geolearn/core";

import type { NetworkOutputs } from "../network.ts";
import { builtInTypes, isBuiltIn } from "../network/architectures.ts";
import { ONNX_MODEL_TYPE } from "../onnx/spec.ts";
import type { AnyModelExtension, ModelExtension } from "./extension.ts";

/** One list per process, whichever copy of the package is asked. */
const KEY = Symbol.for("geolearn.models");

function definitions(): Map<string, AnyModelExtension> {
  const holder = globalThis as { [KEY]?: Map<string, AnyModelExtension> };
  return (holder[KEY] ??= new Map());
}

/** Options of {@link defineModel}. */
export interface DefineModelOptions {
  /** Takes the place of another definition of the same name, e.g. when a cell of a notebook is run again. @defaultValue false */
  readonly replace?: boolean;
}

/**
 * Makes a network of your own known by its name, and gives its definition back: `createLearner`, `fromModel` and model packages then treat it like
 * those of geolearn. Call it when your module is loaded, so that importing the module is enough.
 *
 * @throws MODEL_INVALID for a definition that lacks something or has a name of geolearn's; INVALID_ARGUMENT for a second definition of a name
 *
 * @example
 * export const tiny = defineModel({
 *   modelType: "tiny",
 *   task: "pixelClassification",
 *   build({ bands, classes, seed, normalize }) {
 *     const model = tf.sequential({ layers: [tf.layers.conv2d({
 *       inputShape: [null, null, bands], filters: classes, kernelSize: 3, padding: "same", kernelInitializer: tf.initializers.heNormal({ seed }),
 *     })] });
 *     return { variables: model, forward: (images, { training }) => model.apply(normalize(images), { training }) as tf.Tensor4D };
 *   },
 * });
 */
export function defineModel<
  Config extends object = Record<string, unknown>,
  Outputs extends NetworkOutputs = NetworkOutputs,
  Targets extends NetworkOutputs = NetworkOutputs,
>(
  extension: ModelExtension<Config, Outputs, Targets>,
  { replace = false }: DefineModelOptions = {},
): ModelExtension<Config, Outputs, Targets> {
  const { modelType, task } = extension;
  if (typeof modelType !== "string" || !/^[a-z][a-z0-9._-]{0,79}$/.test(modelType)) {
    throw wrong(String(modelType), "its `modelType` is no name", "Use small letters, digits and -, _ or ., beginning with a letter.");
  }
  if (isBuiltIn(modelType) || modelType === ONNX_MODEL_TYPE) {
    throw wrong(modelType, "the name is geolearn's own", `Choose another than ${[...builtInTypes(), ONNX_MODEL_TYPE].join(", ")}.`);
  }
  if (task !== "pixelClassification") throw wrong(modelType, `its task is ${JSON.stringify(task)}`, 'Give `task: "pixelClassification"`.');
  if (typeof extension.build !== "function") throw wrong(modelType, "it has no `build`", "Give the function that makes its variables.");
  if (extension.resolve !== undefined && typeof extension.resolve !== "function") throw wrong(modelType, "its `resolve` is no function", "Leave it out, or give a function."); // prettier-ignore
  const known = definitions();
  const former = known.get(modelType);
  if (former !== undefined && former !== (extension as AnyModelExtension) && !replace) {
    throw new GeoLearnError("INVALID_ARGUMENT", `A model "${modelType}" is defined already.`, {
      hint: "Choose another `modelType`, or give `replace: true` to put this one in its place.",
      data: { modelType },
    });
  }
  known.set(modelType, extension as AnyModelExtension);
  return extension;
}

/** The definition of a name, or null. */
export function definedModel(modelType: string): AnyModelExtension | null {
  return definitions().get(modelType) ?? null;
}

/** Names that were defined. */
export function definedTypes(): readonly string[] {
  return [...definitions().keys()];
}

function wrong(modelType: string, what: string, hint: string): GeoLearnError {
  return new GeoLearnError("MODEL_INVALID", `The model "${modelType.slice(0, 80)}" cannot be defined: ${what}.`, {
    hint,
    data: { modelType },
  });
}
