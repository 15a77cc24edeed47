/** A blueprint with weights: variables of the engine, set, read and disposed together. */

import { GeoLearnError } from "@geolearn/core";
import { type HostTensor, readVariable, writeVariable } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";

import type { BaseNetwork, Network, ObjectNetwork, Parameter, TileNetwork } from "../network.ts";
import type { AnyBlueprint, Blueprint, ObjectBlueprint, TileBlueprint } from "./blueprint.ts";
import { checkWeights } from "./check-weights.ts";
import { initialValues, type Initializer } from "./initializers.ts";
import { hwioShape, hwioToOihw, oihwToHwio, transposed } from "./layout.ts";
import { isTrainable, type ParameterSpec } from "./parameter-spec.ts";

/** Options of {@link createNetwork} and of the functions of single architectures. */
export interface CreateNetworkOptions {
  /** Seed of the first weights. @defaultValue 0 */
  readonly seed?: number;
  /** Weights to begin with instead of random ones, as `Network.weights()` gives them. */
  readonly weights?: ReadonlyMap<string, HostTensor>;
}

interface HeldParameter {
  readonly spec: ParameterSpec;
  readonly variable: tf.Variable;
}

/** Makes the variables of a network of pixel classification. @throws WEIGHTS_MISMATCH for weights of another network */
export function instantiate(blueprint: Blueprint, options: CreateNetworkOptions = {}): Network<tf.Tensor4D> {
  const held = holdParameters(blueprint, options);
  const { task, margin } = blueprint;
  return {
    ...held.network,
    task,
    margin,
    ownLoss: false,
    ownDecoder: false,
    forward: (images, { training }) => held.run((value) => blueprint.forward(images, { training, value })),
    decode: (logits) => tf.softmax(logits, -1),
    loss: (logits, classIndices, pixelLoss) => pixelLoss(logits, classIndices),
  };
}

/** Makes the variables of a network that finds objects. @throws WEIGHTS_MISMATCH for weights of another network */
export function instantiateObjects<Outputs>(
  blueprint: ObjectBlueprint<Outputs>,
  options: CreateNetworkOptions = {},
): ObjectNetwork<Outputs> {
  const held = holdParameters(blueprint, options);
  return {
    ...held.network,
    task: blueprint.task,
    forward: (images, { training }) => held.run((value) => blueprint.forward(images, { training, value })),
    losses: (outputs, truth, seed) => tidied(() => blueprint.losses(outputs, truth, seed)),
    decode: (outputs, { minScore = 0.05, nmsOverlap = 0.5, maxDetections = blueprint.detections ?? 100 } = {}) =>
      tidied(() => blueprint.decode(outputs, { minScore, nmsOverlap, maxDetections })),
  };
}

/** Makes the variables of a network that classifies whole images. @throws WEIGHTS_MISMATCH for weights of another network */
export function instantiateTiles(blueprint: TileBlueprint, options: CreateNetworkOptions = {}): TileNetwork {
  const held = holdParameters(blueprint, options);
  const { task, multiLabel, thresholds } = blueprint;
  return {
    ...held.network,
    task,
    multiLabel,
    thresholds,
    forward: (images, { training }) => held.run((value) => blueprint.forward(images, { training, value })),
    decode: (logits) => (multiLabel ? tf.sigmoid(logits) : tf.softmax(logits, -1)),
  };
}

/** `tf.tidy` for containers it has no type for. */
function tidied<T>(body: () => T): T {
  return tf.tidy(body as () => tf.TensorContainer) as T;
}

interface Held {
  readonly network: Omit<BaseNetwork<unknown>, "task" | "forward">;
  /** Runs layers on the variables. */
  run<T>(layers: (value: (name: string) => tf.Variable) => T): T;
}

/** The variables of a blueprint, set, read and released together. */
function holdParameters(blueprint: AnyBlueprint, { seed = 0, weights }: CreateNetworkOptions): Held {
  const { parameters: specs, config, modelType, stride } = blueprint;
  if (weights) checkWeights(specs, weights, "The network");
  const initializer = config["initializer"] === "heNormal" ? "heNormal" : "torch";
  const held = new Map<string, HeldParameter>();
  for (const spec of specs) held.set(spec.name, { spec, variable: createVariable(spec, weights?.get(spec.name), initializer, seed) });

  const parameters: Parameter[] = specs.map(({ name, role, backbone }) => ({
    name,
    variable: held.get(name)!.variable,
    trainable: isTrainable(role),
    backbone,
  }));
  const value = (name: string): tf.Variable => held.get(name)!.variable;
  let disposed = false;

  const network: Held["network"] = {
    modelType,
    config,
    parameters,
    stride,
    sizedBy: () => ({ bands: inLayer(specs, blueprint.bandLayer), classes: inLayer(specs, ...[blueprint.classLayer].flat()) }),
    weights() {
      const result = new Map<string, HostTensor>();
      for (const [name, { spec, variable }] of held)
        result.set(name, { data: readValues(spec, variable), shape: spec.shape, dtype: "float32" });
      return result;
    },
    setWeights(next) {
      checkWeights(specs, next, "The network");
      for (const [name, { spec, variable }] of held) writeVariable(variable, inEngineOrder(spec, next.get(name)!.data as Float32Array));
    },
    dispose() {
      if (disposed) return;
      disposed = true;
      for (const { variable } of held.values()) variable.dispose();
    },
  };
  return {
    network,
    run(layers) {
      if (disposed) throw new GeoLearnError("INVALID_ARGUMENT", "The network was disposed.", { hint: "Build or load it again." });
      return tidied(() => layers(value));
    },
  };
}

function inLayer(specs: readonly ParameterSpec[], ...layers: readonly string[]): ReadonlySet<string> {
  return new Set(specs.filter(({ name }) => layers.some((layer) => name.startsWith(`${layer}.`))).map(({ name }) => name));
}

function createVariable(spec: ParameterSpec, given: HostTensor | undefined, initializer: Initializer, seed: number): tf.Variable {
  const values = (given?.data as Float32Array | undefined) ?? initialValues(spec, initializer, seed);
  const { data, shape } = inEngineOrder(spec, values);
  // The variable keeps the tensor's memory; it gets a name of its own, since tfjs wants names to be unique in the process.
  const tensor = tf.tensor(data, shape as number[], "float32");
  const variable = tf.variable(tensor, isTrainable(spec.role));
  tensor.dispose();
  return variable;
}

function inEngineOrder(spec: ParameterSpec, values: Float32Array): HostTensor {
  if (spec.role === "matrix") return { data: transposed(values, spec.shape), shape: spec.shape.toReversed(), dtype: "float32" };
  if (spec.role !== "kernel") return { data: values.slice(), shape: spec.shape, dtype: "float32" };
  return { data: oihwToHwio(values, spec.shape), shape: hwioShape(spec.shape), dtype: "float32" };
}

function readValues(spec: ParameterSpec, variable: tf.Variable): Float32Array {
  const values = readVariable(variable).data as Float32Array;
  if (spec.role === "matrix") return transposed(values, spec.shape.toReversed());
  return spec.role === "kernel" ? hwioToOihw(values, spec.shape) : values.slice();
}
