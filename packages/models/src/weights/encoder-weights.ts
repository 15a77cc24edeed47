/** Weights of an encoder from a file, under torchvision's names or our own. */

import { GeoLearnError } from "@geolearn/core";
import type { HostTensor } from "@geolearn/engine";

import type { Network } from "../network.ts";
import { sameShape } from "../network/check-weights.ts";
import { createBlueprint, encoderName } from "../network/registry.ts";
import type { ParameterSpec } from "../network/parameter-spec.ts";
import { adaptBands } from "./adapt-bands.ts";
import type { ReadWeightsOptions } from "./locate.ts";
import { readWeights } from "./read-weights.ts";

/** What {@link loadEncoderWeights} did. */
export interface EncoderWeightsReport {
  /** Parameters that now hold the file's values. */
  readonly loaded: readonly string[];
  /** Parameters whose values were adapted to the number of bands; also in `loaded`. */
  readonly adapted: readonly string[];
  /** Parameters of the network the file does not cover: decoder, head, and norms of another kind. */
  readonly kept: readonly string[];
  /** Names of the file that were not used, e.g. `fc.weight`. */
  readonly unused: readonly string[];
}

/**
 * Loads the encoder of a network from a weight file (see {@link readWeights} for the kinds): names as torchvision writes them (`conv1.weight`, `bn1.*`,
 * `layer1.0.conv1.weight`, `layer2.0.downsample.0.weight`; any prefix such as `backbone.` or `encoder.` is found), or the
 * names of our own weight files. Everything else keeps its values.
 *
 * A first layer for another number of bands is adapted: with n bands instead of the file's m, the first m keep their
 * kernels and further ones get the mean of all (with fewer than m bands every band gets the mean), all scaled by m / n.
 * An image whose bands are all alike then gives exactly the same activations, whatever n is. With group norm the file's batch norms do
 * not apply and the norms keep their first values.
 *
 * @throws what {@link readWeights} throws; WEIGHTS_MISMATCH when the file holds no such encoder, or another one
 *
 * @example
 * const { loaded, adapted } = await loadEncoderWeights(network, "resnet18-f37072fd.pth");
 */
export async function loadEncoderWeights(
  network: Network,
  source: string | ReadonlyMap<string, HostTensor>,
  options: ReadWeightsOptions = {},
): Promise<EncoderWeightsReport> {
  const given = typeof source === "string" ? (await readWeights(source, options)).tensors : source;
  const what = typeof source === "string" ? source : "The weights";
  const { parameters, bandLayer } = createBlueprint(network.modelType, network.config);
  const encoder = parameters.filter((p) => p.backbone);
  const find = nameFinder(encoder, given, what);

  const next = new Map(network.weights());
  const loaded: string[] = [];
  const adapted: string[] = [];
  const wrong: string[] = [];
  const used = new Set<string>();
  const grouped = network.config["norm"] === "group";
  for (const spec of encoder) {
    if (grouped && (spec.role === "scale" || spec.role === "shift")) continue;
    const name = find(spec.name);
    const tensor = given.get(name);
    const fitted = tensor === undefined ? null : fit(spec, tensor, spec.name === `${bandLayer}.weight`);
    if (fitted === null) {
      wrong.push(
        tensor === undefined ? `${name} is missing` : `${name} is [${tensor.shape.join(", ")}] instead of [${spec.shape.join(", ")}]`,
      );
      continue;
    }
    used.add(name);
    next.set(spec.name, { data: fitted, shape: spec.shape, dtype: "float32" });
    loaded.push(spec.name);
    if (!sameShape(tensor!.shape, spec.shape)) adapted.push(spec.name);
  }
  if (wrong.length > 0) throw otherEncoder(what, wrong, network);
  network.setWeights(next);
  return {
    loaded,
    adapted,
    kept: parameters.filter((p) => !loaded.includes(p.name)).map((p) => p.name),
    unused: [...given.keys()].filter((name) => !used.has(name)),
  };
}

/**
 * Our name to the file's. The file's prefix is read off the first layer that every such encoder has; `encoder.` in front
 * of our names of a residual encoder stands for it.
 */
function nameFinder(encoder: readonly ParameterSpec[], given: ReadonlyMap<string, HostTensor>, what: string): (name: string) => string {
  const bare = (name: string): string => name.replace(/^encoder\./, "");
  const anchor = bare(encoder.filter((p) => p.role === "kernel")[1]!.name);
  const prefixes = [...given.keys()]
    .filter((name) => name === anchor || name.endsWith(`.${anchor}`))
    .map((name) => name.slice(0, name.length - anchor.length));
  const prefix = prefixes.sort((a, b) => a.length - b.length)[0];
  if (prefix === undefined) {
    const names = [...given.keys()].slice(0, 5).join(", ");
    throw new GeoLearnError("WEIGHTS_MISMATCH", `${what} holds no "${anchor}"; it begins with ${names === "" ? "nothing" : names}.`, {
      hint: "Give a weight file with the encoder under torchvision's names, or one geolearn wrote.",
      data: { expected: anchor },
    });
  }
  return (name) => prefix + bare(name);
}

function fit(spec: ParameterSpec, { data, shape }: HostTensor, isFirst: boolean): Float32Array | null {
  const values = data instanceof Float32Array ? data : Float32Array.from(data);
  if (sameShape(shape, spec.shape)) return values.slice();
  const [outputs, bands, height, width] = spec.shape;
  const onlyBandsDiffer =
    isFirst && shape.length === 4 && shape[0] === outputs && shape[1]! > 0 && shape[2] === height && shape[3] === width;
  return onlyBandsDiffer ? adaptBands(values, shape, bands!) : null;
}

function otherEncoder(what: string, wrong: readonly string[], network: Network): GeoLearnError {
  const shown = wrong.slice(0, 5).join("; ");
  return new GeoLearnError(
    "WEIGHTS_MISMATCH",
    `${what} holds another encoder than ${encoderName(network.config["backbone"])}: ${shown}${wrong.length > 5 ? ` and ${wrong.length - 5} more` : ""}.`,
    {
      hint: "Choose the `backbone` the weights were made for.",
      data: { wrong },
    },
  );
}
