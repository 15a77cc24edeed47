/** Weights of an encoder from a file, under our own names or those of the libraries that publish them. */

import { GeoLearnError } from "@geolearn/core";
import type { HostTensor } from "@geolearn/engine";

import { backboneNamed, type Convention } from "../backbones/backbone.ts";
import type { AnyNetwork } from "../network.ts";
import { sameShape } from "../network/check-weights.ts";
import { hwioShape, hwioToOihw } from "../network/layout.ts";
import { createBlueprint, encoderName } from "../network/architectures.ts";
import type { ParameterSpec } from "../network/parameter-spec.ts";
import { adaptBands } from "./adapt-bands.ts";
import { type EncoderNames, type EncoderScheme, findEncoder, type FoundEncoder } from "./encoder-names.ts";
import type { ReadWeightsOptions } from "./locate.ts";
import { readWeights, type WeightFile } from "./read-weights.ts";

/** What {@link loadEncoderWeights} did. */
export interface EncoderWeightsReport {
  /** Whose names the file uses. */
  readonly scheme: EncoderScheme;
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
 * Loads the encoder of a network from a weight file (see {@link readWeights} for the kinds). Its names may be those of
 * torchvision (also segmentation_models_pytorch's for ResNets and MobileNetV2), of timm (`timm-...`, `tu-...` there), of
 * efficientnet-pytorch (`efficientnet-b0` there), of Keras applications (MobileNetV2, EfficientNet), or our own, behind any
 * prefix such as `backbone.` or `encoder.`. Classifiers and decoders in the file are left alone, and everything else of
 * the network keeps its values.
 *
 * A first layer for another number of bands is adapted: with n bands instead of the file's m, the first m keep their
 * kernels and further ones get the mean of all (with fewer than m bands every band gets the mean), all scaled by m / n.
 * An image whose bands are all alike then gives exactly the same activations, whatever n is. With group norm the file's batch norms do
 * not apply and the norms keep their first values.
 *
 * @throws what {@link readWeights} throws; MODEL_CORRUPT for weights that are not finite; WEIGHTS_MISMATCH when the file
 * holds no such encoder, another one, or one of another `convention`
 *
 * @example
 * const { loaded, adapted } = await loadEncoderWeights(network, "resnet18-f37072fd.pth");
 */
export async function loadEncoderWeights(
  network: AnyNetwork,
  source: string | WeightFile | ReadonlyMap<string, HostTensor>,
  options: ReadWeightsOptions = {},
): Promise<EncoderWeightsReport> {
  const file = typeof source === "string" ? await readWeights(source, options) : source;
  const given = "tensors" in file ? file.tensors : file;
  const what = "source" in file ? file.source : "The weights";
  const { parameters, bandLayer } = createBlueprint(network.modelType, network.config);
  const encoder = parameters.filter((p) => p.backbone);
  const { names, prefix } = foundIn(given, network.config, encoder, what);
  checkConvention(names, network, what);

  const next = new Map(network.weights());
  const loaded: string[] = [];
  const adapted: string[] = [];
  const wrong: string[] = [];
  const used = new Set<string>();
  const grouped = network.config["norm"] === "group";
  for (const spec of encoder) {
    if (grouped && (spec.role === "scale" || spec.role === "shift")) continue;
    const name = prefix + names.rename(bare(spec.name));
    const tensor = given.get(name);
    const fitted = tensor === undefined ? null : fit(spec, tensor, { names, isFirst: spec.name === `${bandLayer}.weight` });
    if (fitted === null) {
      wrong.push(
        tensor === undefined
          ? `${name} is missing`
          : `${name} is [${tensor.shape.join(", ")}] instead of [${sideways(spec, names).join(", ")}]`,
      );
      continue;
    }
    if (!fitted.values.every(Number.isFinite)) {
      throw new GeoLearnError("MODEL_CORRUPT", `${what}: ${name} holds numbers that are not finite.`, {
        hint: "Copy or save the weight file again.",
      });
    }
    used.add(name);
    next.set(spec.name, { data: fitted.values, shape: spec.shape, dtype: "float32" });
    loaded.push(spec.name);
    if (fitted.adapted) adapted.push(spec.name);
  }
  if (wrong.length > 0) throw otherEncoder(what, wrong, network);
  network.setWeights(next);
  return {
    scheme: names.scheme,
    loaded,
    adapted,
    kept: parameters.filter((p) => !loaded.includes(p.name)).map((p) => p.name),
    unused: [...given.keys()].filter((name) => !used.has(name)),
  };
}

/**
 * The convention a network must have for the weights of a file, or null when the names leave it open.
 *
 * @throws INVALID_ARGUMENT for an unknown architecture or configuration; WEIGHTS_MISMATCH when the file holds no such encoder
 *
 * @example
 * encoderConvention("unet", { bands: 3, classes: 2, backbone: "efficientnet-b0" }, await readWeights("efficientnet-b0-355c32eb.pth")); // "tensorflow"
 */
export function encoderConvention(
  modelType: string,
  config: Readonly<Record<string, unknown>>,
  { tensors, source }: WeightFile,
): Convention | null {
  const blueprint = createBlueprint(modelType, config);
  const encoder = blueprint.parameters.filter((p) => p.backbone);
  return foundIn(tensors, blueprint.config, encoder, source).names.convention;
}

/** Our name of an encoder's parameter as the schemes know it. */
function bare(name: string): string {
  return name.replace(/^encoder\./, "");
}

function foundIn(
  given: ReadonlyMap<string, HostTensor>,
  config: Readonly<Record<string, unknown>>,
  encoder: readonly ParameterSpec[],
  what: string,
): FoundEncoder {
  const { backbone } = config;
  const name = typeof backbone === "string" ? backboneNamed(backbone) : null;
  const parameters = encoder.map((spec) => bare(spec.name));
  const found = findEncoder(name, parameters, given);
  if (found !== null) return found;
  const expected = bare(encoder.filter((p) => p.role === "kernel")[1]!.name);
  const names = [...given.keys()].slice(0, 5).join(", ");
  throw new GeoLearnError(
    "WEIGHTS_MISMATCH",
    `${what} holds no encoder of ${encoderName(backbone)}, such as "${expected}"; it begins with ${names === "" ? "nothing" : names}.`,
    {
      hint: "Give a weight file of this encoder with the names of torchvision, timm, segmentation_models_pytorch or Keras, or one geolearn wrote.",
      data: { expected },
    },
  );
}

function checkConvention({ scheme, convention }: EncoderNames, network: AnyNetwork, what: string): void {
  const own = network.config["convention"] ?? "torch";
  if (convention === null || convention === own || network.config["backbone"] === null) return;
  throw new GeoLearnError(
    "WEIGHTS_MISMATCH",
    `${what} has the names of ${scheme}, whose networks pad and normalize as ${convention === "torch" ? "PyTorch's" : "TensorFlow's"} do; the network was made the other way.`,
    { hint: `Make the network with \`convention: "${convention}"\`.`, data: { scheme, convention } },
  );
}

/** Shape of a parameter in a file of these names. */
function sideways({ role, shape }: ParameterSpec, { channelsLast }: EncoderNames): readonly number[] {
  if (!channelsLast || role !== "kernel") return shape;
  const [height, width, inputs, outputs] = hwioShape(shape);
  return inputs === 1 && outputs > 1 ? [height, width, outputs, 1] : [height, width, inputs, outputs];
}

interface Fitted {
  readonly values: Float32Array;
  readonly adapted: boolean;
}

function fit(
  spec: ParameterSpec,
  { data, shape }: HostTensor,
  { names, isFirst }: { names: EncoderNames; isFirst: boolean },
): Fitted | null {
  const values = data instanceof Float32Array ? data : Float32Array.from(data);
  const kernel = names.channelsLast && spec.role === "kernel";
  if (sameShape(shape, sideways(spec, names))) return { values: kernel ? hwioToOihw(values, spec.shape) : values.slice(), adapted: false };
  if (!isFirst || shape.length !== 4) return null;
  const [height, width, inputs, outputs] = shape as [number, number, number, number];
  const own = kernel ? [outputs, inputs, height, width] : shape;
  const [expected, bands, ...sides] = spec.shape;
  if (own[0] !== expected || !(own[1]! > 0) || own[2] !== sides[0] || own[3] !== sides[1]) return null;
  return { values: adaptBands(kernel ? hwioToOihw(values, own) : values, own, bands!), adapted: own[1] !== bands };
}

function otherEncoder(what: string, wrong: readonly string[], network: AnyNetwork): GeoLearnError {
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
