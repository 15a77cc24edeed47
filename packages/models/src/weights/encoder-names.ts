/**
 * How others name an encoder's parameters. Ours are torchvision's behind `encoder.`; every scheme is a table of layers from
 * those to its own.
 */

import type { HostTensor } from "@geolearn/engine";

import type { BackboneName, Convention } from "../backbones/backbone.ts";
import { efficientBlockName, efficientBlocks, type EfficientNetVariant } from "../backbones/efficientnet.ts";
import { mobileBlocks } from "../backbones/mobilenet-v2.ts";

/** Who names parameters so. */
export type EncoderScheme = "torchvision" | "timm" | "efficientnet-pytorch" | "keras";

/** One way of naming an encoder's parameters. */
export interface EncoderNames {
  readonly scheme: EncoderScheme;
  /** The line of networks that is named so; null where both are. */
  readonly convention: Convention | null;
  /** The scheme's name of a parameter, from ours without `encoder.`. */
  readonly rename: (name: string) => string;
  /** True where kernels are `[height, width, in, out]`, those of depthwise convolutions `[height, width, channels, 1]`. */
  readonly channelsLast: boolean;
}

/** Layers of torchvision and of another scheme, one pair a line. */
type LayerPairs = readonly (readonly [ours: string, theirs: string])[];

const OWN_NAMES: EncoderNames = { scheme: "torchvision", convention: "torch", rename: (name) => name, channelsLast: false };

/** The schemes an encoder's weights are found in; our own names, as torchvision's, come first. */
export function encoderNames(backbone: BackboneName | null): readonly EncoderNames[] {
  if (backbone === null || /^(resnet|mobilenetv3)/.test(backbone)) return [OWN_NAMES];
  if (backbone === "mobilenetv2") {
    return [{ ...OWN_NAMES, convention: null }, pytorchNames("timm", null, mobileNetTimm()), kerasNames(mobileNetKeras())];
  }
  const variant = Number(backbone.slice(-1)) as EfficientNetVariant;
  return [
    { ...OWN_NAMES, convention: null },
    pytorchNames("timm", null, efficientNetTimm(variant)),
    pytorchNames("efficientnet-pytorch", "tensorflow", efficientNetPytorch(variant)),
    kerasNames(efficientNetKeras(variant)),
  ];
}

/** What {@link findEncoder} finds. */
export interface FoundEncoder {
  readonly names: EncoderNames;
  /** What stands in front of every name in the file, e.g. `"backbone."`. */
  readonly prefix: string;
}

/**
 * The scheme and prefix under which a file holds most of an encoder's parameters, of which `parameters` are our names
 * without `encoder.`; null when it holds none. Of equals, the shorter prefix is taken.
 */
export function findEncoder(
  backbone: BackboneName | null,
  parameters: readonly string[],
  given: ReadonlyMap<string, HostTensor>,
): FoundEncoder | null {
  let best: FoundEncoder | null = null;
  let most = 0;
  for (const names of encoderNames(backbone)) {
    const theirs = parameters.map((name) => names.rename(name));
    for (const prefix of prefixesOf(theirs, given)) {
      const count = theirs.filter((name) => given.has(prefix + name)).length;
      if (count > most || (count === most && best !== null && prefix.length < best.prefix.length)) {
        best = { names, prefix };
        most = count;
      }
    }
  }
  return best;
}

/** What stands before any of three names of an encoder: early, in the middle and late in it. */
function prefixesOf(names: readonly string[], given: ReadonlyMap<string, HostTensor>): ReadonlySet<string> {
  const anchors = [names[1], names[Math.floor(names.length / 2)], names.at(-1)];
  const prefixes = new Set<string>();
  for (const key of given.keys()) {
    for (const anchor of anchors) {
      if (anchor === undefined || !key.endsWith(anchor)) continue;
      const prefix = key.slice(0, key.length - anchor.length);
      if (prefix === "" || /[./]$/.test(prefix)) prefixes.add(prefix);
    }
  }
  return prefixes;
}

function pytorchNames(scheme: EncoderScheme, convention: Convention | null, layers: LayerPairs): EncoderNames {
  const theirs = new Map(layers);
  return { scheme, convention, channelsLast: false, rename: (name) => renamed(name, theirs, (layer, part) => `${layer}.${part}`) };
}

const KERAS_PARTS: ReadonlyMap<string, string> = new Map([
  ["running_mean", "moving_mean"],
  ["running_var", "moving_variance"],
]);

/** Keras calls a layer's numbers by what they do, so that a kernel needs to be told from a norm's scale. */
function kerasNames(layers: LayerPairs): EncoderNames {
  const theirs = new Map(layers);
  const isNorm = (layer: string): boolean => /^bn_|bn$/i.test(layer);
  const kernel = (layer: string): string => (/(_dwconv|depthwise)$/.test(layer) ? "depthwise_kernel" : "kernel");
  return {
    scheme: "keras",
    convention: "tensorflow",
    channelsLast: true,
    rename: (name) =>
      renamed(name, theirs, (layer, part) => {
        if (part === "weight") return `${layer}/${isNorm(layer) ? "gamma" : kernel(layer)}`;
        if (part === "bias") return `${layer}/${isNorm(layer) ? "beta" : "bias"}`;
        return `${layer}/${KERAS_PARTS.get(part) ?? part}`;
      }),
  };
}

function renamed(name: string, layers: ReadonlyMap<string, string>, join: (layer: string, part: string) => string): string {
  const dot = name.lastIndexOf(".");
  const layer = layers.get(name.slice(0, dot));
  return layer === undefined ? name : join(layer, name.slice(dot + 1));
}

function mobileNetTimm(): LayerPairs {
  const pairs: [string, string][] = [
    ["features.0.0", "conv_stem"],
    ["features.0.1", "bn1"],
    ["features.18.0", "conv_head"],
    ["features.18.1", "bn2"],
  ];
  for (const { position, stage, index, expansion } of mobileBlocks()) {
    const theirs = expansion === 1 ? ["conv_dw", "bn1", "conv_pw", "bn2"] : ["conv_pw", "bn1", "conv_dw", "bn2", "conv_pwl", "bn3"];
    for (const [i, ours] of mobileLayers(expansion).entries())
      pairs.push([`features.${position}.conv.${ours}`, `blocks.${stage}.${index}.${theirs[i]}`]);
  }
  return pairs;
}

function mobileNetKeras(): LayerPairs {
  const pairs: [string, string][] = [
    ["features.0.0", "Conv1"],
    ["features.0.1", "bn_Conv1"],
    ["features.18.0", "Conv_1"],
    ["features.18.1", "Conv_1_bn"],
  ];
  for (const { position, expansion } of mobileBlocks()) {
    const block = position === 1 ? "expanded_conv" : `block_${position - 1}`;
    const parts = ["expand", "expand_BN", "depthwise", "depthwise_BN", "project", "project_BN"].slice(expansion === 1 ? 2 : 0);
    for (const [i, ours] of mobileLayers(expansion).entries()) pairs.push([`features.${position}.conv.${ours}`, `${block}_${parts[i]}`]);
  }
  return pairs;
}

/** Convolutions and norms of an inverted residual block in torchvision. */
function mobileLayers(expansion: number): readonly string[] {
  return expansion === 1 ? ["0.0", "0.1", "1", "2"] : ["0.0", "0.1", "1.0", "1.1", "2", "3"];
}

function efficientNetTimm(variant: EfficientNetVariant): LayerPairs {
  const wide = ["conv_pw", "bn1", "conv_dw", "bn2", "se.conv_reduce", "se.conv_expand", "conv_pwl", "bn3"];
  const plain = ["conv_dw", "bn1", "se.conv_reduce", "se.conv_expand", "conv_pw", "bn2"];
  return efficientPairs(variant, { stem: ["conv_stem", "bn1"], widest: ["conv_head", "bn2"] }, ({ stage, index, expansion }) =>
    (expansion === 1 ? plain : wide).map((layer) => `blocks.${stage}.${index}.${layer}`),
  );
}

function efficientNetPytorch(variant: EfficientNetVariant): LayerPairs {
  const layers = ["_expand_conv", "_bn0", "_depthwise_conv", "_bn1", "_se_reduce", "_se_expand", "_project_conv", "_bn2"];
  return efficientPairs(variant, { stem: ["_conv_stem", "_bn0"], widest: ["_conv_head", "_bn1"] }, ({ expansion }, position) =>
    layers.slice(expansion === 1 ? 2 : 0).map((layer) => `_blocks.${position}.${layer}`),
  );
}

function efficientNetKeras(variant: EfficientNetVariant): LayerPairs {
  const layers = ["expand_conv", "expand_bn", "dwconv", "bn", "se_reduce", "se_expand", "project_conv", "project_bn"];
  return efficientPairs(variant, { stem: ["stem_conv", "stem_bn"], widest: ["top_conv", "top_bn"] }, ({ stage, index, expansion }) =>
    layers.slice(expansion === 1 ? 2 : 0).map((layer) => `block${stage + 1}${String.fromCharCode(97 + index)}_${layer}`),
  );
}

/** Layers of an EfficientNet in torchvision beside another scheme's, given from front to back. */
function efficientPairs(
  variant: EfficientNetVariant,
  { stem, widest }: Readonly<Record<"stem" | "widest", readonly [string, string]>>,
  layersOf: (block: ReturnType<typeof efficientBlocks>[number], position: number) => readonly string[],
): LayerPairs {
  const pairs: [string, string][] = [
    ["features.0.0", stem[0]],
    ["features.0.1", stem[1]],
    ["features.8.0", widest[0]],
    ["features.8.1", widest[1]],
  ];
  for (const [position, block] of efficientBlocks(variant).entries()) {
    const ours =
      block.expansion === 1 ? ["0.0", "0.1", "1.fc1", "1.fc2", "2.0", "2.1"] : ["0.0", "0.1", "1.0", "1.1", "2.fc1", "2.fc2", "3.0", "3.1"];
    for (const [i, theirs] of layersOf(block, position).entries()) pairs.push([`${efficientBlockName(block)}.${ours[i]}`, theirs]);
  }
  return pairs;
}
