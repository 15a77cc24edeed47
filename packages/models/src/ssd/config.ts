/** What a SingleShotDetector is made from, as a user writes it and as a model package keeps it. */

import type { OptionNames } from "@geolearn/core";

import type { BackboneAlias, BackboneName } from "../backbones/backbone.ts";
import { type DetectorConfig, type ResolvedDetectorConfig, resolveDetectorConfig } from "../detection/detector-config.ts";
import { fieldsOf } from "../network/config-fields.ts";

/** Boxes the network starts from as the paper says them: around each cell of each map, their sides as shares of the image's. */
export interface SSDAnchors {
  /**
   * Side of the square box of each map, the finest map first, and one more number behind the last: a second square of each map lies between its side and the
   * next (the root of their product).
   * @defaultValue 0.07, then evenly from 0.15 to 1.05 (torchvision's, for any number of maps); lite: evenly from 0.2 to 0.95, then 1
   */
  readonly scales?: readonly number[];
  /**
   * Longer over shorter side of further boxes, each lying and standing; one list for all maps, or one for each map.
   * @defaultValue [2, 3], only [2] on the first and the last two maps; lite: [2, 3] on all
   */
  readonly ratios?: readonly number[] | readonly (readonly number[])[];
}

/** Boxes the network starts from as arcgis.learn says them: the cells of one or several grids over the image. */
export interface SSDGrids {
  /** Cells along each side of the image, of each grid; they are kept from the finest to the coarsest. */
  readonly grids: readonly number[];
  /** Each cell enlarged by each of these. @defaultValue [1] */
  readonly zooms?: readonly number[];
  /** Height and width as multiples of an enlarged cell's. @defaultValue [[1, 1]] */
  readonly ratios?: readonly (readonly [height: number, width: number])[];
}

/** What `createSSD` takes. */
export interface SSDConfig extends Omit<DetectorConfig, "backbone"> {
  /** Encoder, by our names or torchvision's. @defaultValue "resnet18", lite "mobilenetv3-large" */
  readonly backbone?: BackboneName | BackboneAlias;
  /**
   * `"standard"`: plain 3x3 convolutions with biases behind the encoder, as in the paper. `"lite"`: SSDLite, depthwise convolutions with norms there (Sandler et al.
   * 2018, https://arxiv.org/abs/1801.04381), on fewer, coarser maps. @defaultValue "standard"
   */
  readonly variant?: "standard" | "lite";
  /** How many times smaller than the image each map is that boxes are told from, the finest first: powers of 2 from 4. @defaultValue [8, 16, 32, 64, 128, 256], lite [16, 32, 64, 128, 256, 512]; for grids 32 and so on */
  readonly maps?: readonly number[];
  /**
   * Boxes the network starts from: the paper's scales and ratios, or the grids of arcgis.learn. Scales are the default, since they find small and large objects
   * alike; a single grid only finds what is about as large as its cells.
   */
  readonly anchors?: SSDAnchors | SSDGrids;
  /** Half the channels in the last layers of a MobileNetV3, as torchvision's SSDLite has them without trained weights of an encoder. @defaultValue true for lite on a MobileNetV3, else false */
  readonly reducedTail?: boolean;
}

/** A complete {@link SSDAnchors}. */
export interface ResolvedSSDAnchors {
  readonly scales: readonly number[];
  readonly ratios: readonly (readonly number[])[];
}

/** A complete, checked {@link SSDConfig}: plain JSON, kept in model packages. */
export interface ResolvedSSDConfig extends ResolvedDetectorConfig {
  readonly variant: "standard" | "lite";
  readonly maps: readonly number[];
  readonly anchors: ResolvedSSDAnchors | Readonly<Required<SSDGrids>>;
  readonly reducedTail: boolean;
}

/** How many times smaller than the image the finest map may be. */
export const FINEST = 4;
/** How many times smaller than the image an encoder's last map is. */
export const ENCODED = 32;

/** Limits that keep a config from a stranger's file from asking for absurd amounts of memory. */
const MOST_MAPS = 12;
const COARSEST = 2 ** 14;
const MOST_CELLS = 4096;

const fields = fieldsOf("SingleShotDetector");
const { oneOf, positives, named, wrong } = fields;
const ANCHORS: OptionNames<Record<keyof (SSDAnchors & SSDGrids), unknown>> = { scales: true, ratios: true, grids: true, zooms: true };

/**
 * Fills in the defaults and checks every field.
 *
 * @throws INVALID_ARGUMENT that names the field, what was given and what is expected
 */
export function resolveSSDConfig(config: SSDConfig): ResolvedSSDConfig {
  const variant = oneOf("variant", config.variant ?? "standard", ["standard", "lite"]);
  const common = resolveDetectorConfig({ ...config, backbone: config.backbone ?? usualBackbone(variant) }, fields);
  const given = config.anchors ?? {};
  named<Partial<Record<keyof typeof ANCHORS, unknown>>>("anchors", given, ANCHORS);
  const grids = isGrids(given) ? gridsOf(given) : null;
  const maps = mapsOf(config.maps ?? usualMaps(variant, grids?.grids ?? null));
  if (grids !== null && grids.grids.length !== maps.length)
    throw wrong("maps", config.maps, `${grids.grids.length} maps, one for each grid`);
  return {
    ...common,
    variant,
    maps,
    anchors: grids ?? scalesOf(given as SSDAnchors, variant, maps.length),
    reducedTail: tailOf(config.reducedTail, variant, common.backbone),
  };
}

/** Whether anchors are the cells of grids. */
export function isGrids(anchors: SSDAnchors | SSDGrids): anchors is SSDGrids {
  return typeof anchors === "object" && anchors !== null && "grids" in anchors;
}

/** How many times smaller than the image the first map of scales is. */
export function finestMap(variant: ResolvedSSDConfig["variant"]): number {
  return variant === "lite" ? 16 : 8;
}

/** The maps of a network whose images nobody has told: the paper's six, or one for each grid. */
function usualMaps(variant: ResolvedSSDConfig["variant"], grids: readonly number[] | null): readonly number[] {
  const first = grids === null ? finestMap(variant) : ENCODED;
  return Array.from({ length: grids?.length ?? 6 }, (_, i) => first * 2 ** i);
}

function usualBackbone(variant: ResolvedSSDConfig["variant"]): BackboneName {
  return variant === "lite" ? "mobilenetv3-large" : "resnet18";
}

function mapsOf(given: readonly number[]): readonly number[] {
  const maps = positives("maps", given, [1, MOST_MAPS], COARSEST);
  const rising = maps.every((stride, i) => stride >= FINEST && Number.isInteger(Math.log2(stride)) && stride >= (maps[i - 1] ?? 0));
  if (!rising) throw wrong("maps", given, `powers of 2 from ${FINEST}, none smaller than the one before`);
  return maps;
}

function scalesOf(given: SSDAnchors, variant: ResolvedSSDConfig["variant"], maps: number): ResolvedSSDAnchors {
  onlyFields(given, ["scales", "ratios"], "scales and ratios, or grids, zooms and ratios");
  const scales = positives("anchors.scales", given.scales ?? usualScales(variant, maps), [maps + 1, maps + 1], 64);
  const ratios = given.ratios ?? usualRatios(variant, maps);
  const each = Array.isArray(ratios[0]) ? (ratios as readonly (readonly number[])[]) : Array.from({ length: maps }, () => ratios);
  if (each.length !== maps) throw wrong("anchors.ratios", given.ratios, `a list of numbers, or ${maps} lists, one for each map`);
  return { scales, ratios: each.map((list) => positives("anchors.ratios", list, [0, 8], 64)) };
}

/** Torchvision's `ssd300_vgg16`, and `ssdlite320_mobilenet_v3_large`, for any number of maps. */
function usualScales(variant: ResolvedSSDConfig["variant"], maps: number): readonly number[] {
  const evenly = (from: number, to: number, count: number): number[] =>
    Array.from({ length: count }, (_, i) => from + ((to - from) * i) / Math.max(1, count - 1));
  return variant === "lite" ? [...evenly(0.2, 0.95, maps), 1] : [0.07, ...evenly(0.15, 1.05, maps)];
}

function usualRatios(variant: ResolvedSSDConfig["variant"], maps: number): readonly (readonly number[])[] {
  return Array.from({ length: maps }, (_, i) => (variant === "lite" || (i > 0 && i < maps - 2) ? [2, 3] : [2]));
}

function gridsOf(given: SSDGrids): Readonly<Required<SSDGrids>> {
  onlyFields(given, ["grids", "zooms", "ratios"], "grids, zooms and ratios");
  const grids = [...positives("anchors.grids", given.grids, [1, MOST_MAPS], MOST_CELLS)].toSorted((a, b) => b - a);
  if (!grids.every((cells, i) => Number.isInteger(cells) && cells !== grids[i - 1]))
    throw wrong("anchors.grids", given.grids, "whole numbers, each once");
  const ratios = given.ratios ?? [[1, 1]];
  if (!Array.isArray(ratios) || ratios.length < 1 || ratios.length > 16)
    throw wrong("anchors.ratios", ratios, "1 to 16 pairs of height and width");
  return {
    grids,
    zooms: positives("anchors.zooms", given.zooms ?? [1], [1, 16], 64),
    ratios: ratios.map((pair) => positives("anchors.ratios", pair, [2, 2], 64) as [number, number]),
  };
}

function onlyFields(given: object, known: readonly string[], expected: string): void {
  if (Object.keys(given).some((key) => !known.includes(key))) throw wrong("anchors", given, expected);
}

function tailOf(given: boolean | undefined, variant: ResolvedSSDConfig["variant"], backbone: BackboneName): boolean {
  const possible = backbone.startsWith("mobilenetv3");
  if (given === undefined) return possible && variant === "lite";
  if (typeof given !== "boolean" || (given && !possible))
    throw wrong("reducedTail", given, possible ? "true or false" : `false for ${backbone}`);
  return given;
}
