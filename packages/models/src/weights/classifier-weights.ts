/** Weights of a classifier of whole images from a file: its encoder, and its head where the classes agree. */

import { GeoLearnError } from "@geolearn/core";
import type { HostTensor } from "@geolearn/engine";

import type { BackboneName } from "../backbones/backbone.ts";
import { CLASS_LAYER, HIDDEN_LAYER } from "../classifier/head.ts";
import type { TileNetwork } from "../network.ts";
import { sameShape } from "../network/check-weights.ts";
import { transposed } from "../network/layout.ts";
import { type EncoderWeightsReport, loadEncoderWeights } from "./encoder-weights.ts";
import type { ReadWeightsOptions } from "./locate.ts";
import { readWeights, type WeightFile } from "./read-weights.ts";

/** What {@link loadClassifierWeights} did; `loaded`, `kept` and `unused` tell of encoder and head. */
export interface ClassifierWeightsReport extends EncoderWeightsReport {
  /** Parameters of the head that now hold the file's values. */
  readonly head: readonly string[];
}

/**
 * Loads a classifier from a weight file of torchvision, timm, efficientnet-pytorch or Keras, or our own: the encoder as `loadEncoderWeights` does, and
 * behind it every layer of the head that has the same shape. The last layer keeps its first values where the file has another number of classes
 * (`loaded` and `kept` tell); which classes they are, a weight file does not say.
 *
 * @throws what `loadEncoderWeights` throws; MODEL_CORRUPT for weights that are not finite
 *
 * @example
 * const network = createFeatureClassifier({ bands: 3, classes: 1000, backbone: "resnet50" });
 * const { head } = await loadClassifierWeights(network, "resnet50-11ad3fa6.pth"); // ["head.weight", "head.bias"]
 */
export async function loadClassifierWeights(
  network: TileNetwork,
  source: string | WeightFile | ReadonlyMap<string, HostTensor>,
  options: ReadWeightsOptions = {},
): Promise<ClassifierWeightsReport> {
  const file = typeof source === "string" ? await readWeights(source, options) : source;
  const given = "tensors" in file ? file.tensors : file;
  const found = foundHead(network, given, "source" in file ? file.source : "The weights");
  const report = await loadEncoderWeights(network, file);
  const next = new Map(network.weights());
  for (const { name, tensor } of found) next.set(name, tensor);
  network.setWeights(next);
  const head = found.map(({ name }) => name);
  const used = new Set(found.map(({ theirs }) => theirs));
  return {
    ...report,
    head,
    loaded: [...report.loaded, ...head],
    kept: report.kept.filter((name) => !head.includes(name)),
    unused: report.unused.filter((name) => !used.has(name)),
  };
}

/** A parameter of the head as the file has it. */
interface FoundParameter {
  readonly name: string;
  readonly theirs: string;
  readonly tensor: HostTensor;
}

/** Whole layers only: a bias without its weights would be of another head. */
function foundHead(network: TileNetwork, given: ReadonlyMap<string, HostTensor>, what: string): readonly FoundParameter[] {
  const own = network.weights();
  const layers = [HIDDEN_LAYER, CLASS_LAYER].filter((layer) => own.has(`${layer}.weight`));
  return layers.flatMap((layer) => {
    const parts = (["weight", "bias"] as const).map((part) => {
      const name = `${layer}.${part}`;
      const theirs = theirName(namesOf(layer, network.config["backbone"] as BackboneName), part, given);
      const tensor = theirs === null ? null : fit(given.get(theirs)!, own.get(name)!.shape, theirs.endsWith("/kernel"));
      return theirs === null || tensor === null ? null : { name, theirs, tensor };
    });
    const whole = parts.filter((part) => part !== null);
    if (whole.length < parts.length) return [];
    for (const { theirs, tensor } of whole) refuseNotFinite(tensor, theirs, what);
    return whole;
  });
}

/** What a layer of the head is called: by us, and by the libraries that publish weights. */
function namesOf(layer: string, backbone: BackboneName): readonly string[] {
  if (backbone.startsWith("resnet")) return [layer, "fc"];
  if (backbone.startsWith("mobilenetv3")) return [layer, layer === HIDDEN_LAYER ? "classifier.0" : "classifier.3"];
  return [layer, "classifier.1", "classifier", "_fc", "predictions"];
}

function theirName(layers: readonly string[], part: "weight" | "bias", given: ReadonlyMap<string, HostTensor>): string | null {
  const endings = layers.flatMap((layer) => [`${layer}.${part}`, `${layer}/${part === "weight" ? "kernel" : part}`]);
  for (const ending of endings) {
    for (const name of given.keys()) if (name === ending || name.endsWith(`.${ending}`) || name.endsWith(`/${ending}`)) return name;
  }
  return null;
}

function fit({ data, shape }: HostTensor, own: readonly number[], sideways: boolean): HostTensor | null {
  if (!sameShape(sideways ? shape.toReversed() : shape, own)) return null;
  const values = new Float32Array(data);
  return { data: sideways ? transposed(values, shape) : values, shape: own, dtype: "float32" };
}

function refuseNotFinite({ data }: HostTensor, name: string, what: string): void {
  if (data.every(Number.isFinite)) return;
  throw new GeoLearnError("MODEL_CORRUPT", `${what}: ${name} holds numbers that are not finite.`, {
    hint: "Copy or save the weight file again.",
  });
}
