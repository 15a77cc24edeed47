/** From a model package to a network: as it was saved, or as the start of another one. */

import { type ClassDefinition, GeoLearnError, type Task } from "@geolearn/core";

import type { AnyNetwork } from "../network.ts";
import { sameShape } from "../network/check-weights.ts";
import { encoderName } from "../network/architectures.ts";
import { createNetwork, type NetworkOf } from "../network/registry.ts";
import { ONNX_MODEL_TYPE } from "../onnx/spec.ts";
import type { ModelPackage } from "./read.ts";

/** Options of {@link loadNetwork}. */
export interface LoadNetworkOptions<T extends Task = Task> {
  /** What the network must be made for. @defaultValue whatever it is: its `task` tells */
  readonly task?: T;
}

/**
 * The network of a package, with its weights. `startEngine` must have finished.
 *
 * @throws TASK_MISMATCH for a network of another task; INVALID_ARGUMENT, WEIGHTS_MISMATCH for a package that was not read by `readModelPackage`
 *
 * @example
 * const network = loadNetwork(await readModelPackage("buildings.dlpk"), { task: "pixelClassification" });
 */
export function loadNetwork<T extends Task = Task>(
  { source, manifest, weights }: ModelPackage,
  { task }: LoadNetworkOptions<T> = {},
): NetworkOf<T> {
  refuseOnnx(source, manifest.modelType);
  return createNetwork<T>(manifest.modelType, manifest.config, { weights, ...(task === undefined ? {} : { task }) });
}

/** What the new data has, where the count alone does not tell. */
export interface AdaptWeightsOptions {
  /** Classes of the new data. When they are not those of the package, the last layer begins anew even if it has the same size. */
  readonly classes?: readonly ClassDefinition[];
}

/** What {@link adaptWeights} did. */
export interface AdaptWeightsReport {
  /** Parameters that now hold the package's values. */
  readonly loaded: readonly string[];
  /** Parameters that keep the network's own first values, because classes or bands differ. */
  readonly reinitialized: readonly string[];
}

/**
 * Starts a network from a package trained on other data. Where the number of bands differs the first layer keeps its own
 * first values, where the classes differ the last layer does; everything else is taken from the package.
 *
 * @throws WEIGHTS_MISMATCH when anything but those two layers differs, which means another architecture
 *
 * @example
 * const network = createUNet({ bands: 3, classes: 4, backbone: "resnet18" }, { seed: 1 });
 * const { reinitialized } = adaptWeights(network, await readModelPackage("buildings.dlpk")); // ["head.weight", "head.bias"]
 */
export function adaptWeights(
  network: AnyNetwork,
  { source, manifest, weights }: ModelPackage,
  { classes }: AdaptWeightsOptions = {},
): AdaptWeightsReport {
  refuseOnnx(source, manifest.modelType);
  const own = network.weights();
  const sized = network.sizedBy();
  const otherClasses = classes !== undefined && !sameClasses(classes, manifest.classes);
  const next = new Map(own);
  const loaded: string[] = [];
  const reinitialized: string[] = [];
  const wrong: string[] = [];
  for (const [name, { shape }] of own) {
    const tensor = weights.get(name);
    const byClasses = sized.classes.has(name);
    const mayDiffer = byClasses || sized.bands.has(name);
    if (tensor !== undefined && sameShape(tensor.shape, shape) && !(byClasses && otherClasses)) {
      next.set(name, tensor);
      loaded.push(name);
    } else if (tensor !== undefined && mayDiffer && tensor.shape.length === shape.length) {
      reinitialized.push(name);
    } else {
      wrong.push(name);
    }
  }
  wrong.push(...[...weights.keys()].filter((name) => !own.has(name)));
  const conventions = [network.config, manifest.config].map(({ convention }) => (typeof convention === "string" ? convention : "torch"));
  if (conventions[0] !== conventions[1]) wrong.push(`convention ${conventions[1]!}`);
  if (wrong.length > 0) throw otherArchitecture(network, source, manifest.modelType, manifest.backbone, wrong);
  network.setWeights(next);
  return { loaded, reinitialized };
}

/** The graph of an ONNX file is run as it is; there is no network to train. */
function refuseOnnx(source: string, modelType: string): void {
  if (modelType !== ONNX_MODEL_TYPE) return;
  throw new GeoLearnError("INVALID_ARGUMENT", `${source} is built around an ONNX file, which can be used but not trained further.`, {
    hint: "Train from a package of geolearn, or start a network from the weights inside the ONNX file.",
  });
}

function sameClasses(a: readonly ClassDefinition[], b: readonly ClassDefinition[]): boolean {
  return a.length === b.length && a.every((c, i) => c.value === b[i]!.value && c.name === b[i]!.name);
}

function otherArchitecture(
  network: AnyNetwork,
  source: string,
  modelType: string,
  backbone: string | null,
  wrong: readonly string[],
): GeoLearnError {
  const named = (type: string, encoder: unknown): string => `${type} with ${encoderName(encoder)}`;
  return new GeoLearnError(
    "WEIGHTS_MISMATCH",
    `${source} holds a ${named(modelType, backbone)}, the network is a ${named(network.modelType, network.config["backbone"])}; ` +
      `${wrong.length} parameters differ, among them ${wrong.slice(0, 4).join(", ")}.`,
    { hint: "Build the network with the package's backbone, widths, skips and norm, or start from random weights.", data: { wrong } },
  );
}
