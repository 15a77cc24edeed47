/** Weights of a whole detector from a file of torchvision's, or of our own. */

import { GeoLearnError } from "@geolearn/core";
import type { HostTensor } from "@geolearn/engine";

import type { ObjectNetwork } from "../network.ts";
import { createBlueprint, encoderName } from "../network/architectures.ts";
import { sameShape } from "../network/check-weights.ts";
import { adaptBands } from "./adapt-bands.ts";
import type { ReadWeightsOptions } from "./locate.ts";
import { readWeights, type WeightFile } from "./read-weights.ts";

/** What {@link loadDetectorWeights} did. */
export interface DetectorWeightsReport {
  /** Parameters that now hold the file's values. */
  readonly loaded: readonly string[];
  /** Parameters whose values were adapted to the number of bands; also in `loaded`. */
  readonly adapted: readonly string[];
  /** Parameters of the layer of classes, which keep their values where the file has another number of classes. */
  readonly kept: readonly string[];
}

/** Beginnings of torchvision's names and of ours. */
const RENAMED: readonly (readonly [string, string])[] = [
  ["backbone.body.", "encoder."],
  ["backbone.fpn.", "fpn."],
  ["backbone.extra.", "extra."],
];

/**
 * Loads encoder, pyramid and heads of a detector from a weight file (see {@link readWeights} for the kinds) with the names of torchvision's detection
 * models on ResNets, or our own. A first layer for another number of bands is adapted as `loadEncoderWeights` does, and the last layer of
 * another number of classes is left alone; everything else must fit. In torchvision's own file for COCO classes are counted from a background at 0
 * that it never finds: build the network for 91 classes to have all of it.
 *
 * @throws what {@link readWeights} throws; MODEL_CORRUPT for weights that are not finite; WEIGHTS_MISMATCH when the file holds another network
 *
 * @example
 * const network = createRetinaNet({ bands: 4, classes: 2, backbone: "resnet50" });
 * const { adapted, kept } = await loadDetectorWeights(network, "retinanet_resnet50_fpn_coco-eeacb38b.pth");
 */
export async function loadDetectorWeights(
  network: ObjectNetwork,
  source: string | WeightFile | ReadonlyMap<string, HostTensor>,
  options: ReadWeightsOptions = {},
): Promise<DetectorWeightsReport> {
  const file = typeof source === "string" ? await readWeights(source, options) : source;
  const what = "source" in file ? file.source : "The weights";
  const given = ownNames("tensors" in file ? file.tensors : file);
  const { parameters, bandLayer } = createBlueprint(network.modelType, network.config);
  const byClasses = network.sizedBy().classes;
  const next = new Map(network.weights());
  const report = { loaded: [] as string[], adapted: [] as string[], kept: [] as string[] };
  const wrong = [...given.keys()].filter((name) => !next.has(name)).map((name) => `${name} is unknown`);
  for (const { name, shape } of parameters) {
    const tensor = given.get(name);
    const values = tensor === undefined ? null : new Float32Array(tensor.data);
    if (values?.every(Number.isFinite) === false) {
      throw new GeoLearnError("MODEL_CORRUPT", `${what}: ${name} holds numbers that are not finite.`, {
        hint: "Copy or save the weight file again.",
      });
    }
    if (values !== null && sameShape(tensor!.shape, shape)) {
      next.set(name, { data: values, shape, dtype: "float32" });
      report.loaded.push(name);
    } else if (values !== null && name === `${bandLayer}.weight` && sameShape(withoutBands(tensor!.shape), withoutBands(shape))) {
      next.set(name, { data: adaptBands(values, tensor!.shape, shape[1]!), shape, dtype: "float32" });
      report.loaded.push(name);
      report.adapted.push(name);
    } else if (values !== null && byClasses.has(name)) {
      report.kept.push(name);
    } else {
      wrong.push(tensor === undefined ? `${name} is missing` : `${name} is [${tensor.shape.join(", ")}] instead of [${shape.join(", ")}]`);
    }
  }
  if (wrong.length > 0) throw otherNetwork(what, wrong, network);
  network.setWeights(next);
  return report;
}

/** Without what PyTorch's batch norms count. */
function ownNames(tensors: ReadonlyMap<string, HostTensor>): Map<string, HostTensor> {
  const named = new Map<string, HostTensor>();
  const split = splitBlock(tensors.keys());
  for (const [name, tensor] of tensors) {
    if (name.endsWith(".num_batches_tracked")) continue;
    const rename = RENAMED.find(([theirs]) => name.startsWith(theirs));
    named.set(rename === undefined ? joinedName(name, split) : rename[1] + name.slice(rename[0].length), tensor);
  }
  return named;
}

/** The block in which torchvision's SSDLite divides its encoder: the last of `backbone.features.0`, of which only the first layer is there. */
function splitBlock(names: Iterable<string>): number {
  return Math.max(-1, ...Array.from(names, (name) => Number(/^backbone\.features\.0\.(\d+)\./.exec(name)?.[1] ?? -1)));
}

/** A name of the divided encoder as if it were whole. */
function joinedName(name: string, split: number): string {
  return name.replace(/^backbone\.features\.([01])\.(\d+)\.(?:(\d+)\.)?/, (_, half: string, block: string, rest?: string) => {
    const layer = rest === undefined ? "" : `${rest}.`;
    if (half === "0") return `encoder.features.${block}.${Number(block) === split ? `block.0.` : ""}${layer}`;
    return Number(block) === 0 ? `encoder.features.${split}.block.${layer}` : `encoder.features.${split + Number(block)}.${layer}`;
  });
}

const withoutBands = (shape: readonly number[]): readonly number[] => shape.filter((_, axis) => axis !== 1);

function otherNetwork(what: string, wrong: readonly string[], { modelType, config }: ObjectNetwork): GeoLearnError {
  const shown = wrong.slice(0, 5).join("; ");
  return new GeoLearnError(
    "WEIGHTS_MISMATCH",
    `${what} holds another network than ${modelType} with ${encoderName(config["backbone"])}: ${shown}${wrong.length > 5 ? ` and ${wrong.length - 5} more` : ""}.`,
    { hint: "Choose the `backbone`, the width and the anchors the weights were made for.", data: { wrong } },
  );
}
