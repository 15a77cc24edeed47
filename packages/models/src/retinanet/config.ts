/** What a RetinaNet is made from, as a user writes it and as a model package keeps it. */

import {
  type BackboneAlias,
  backboneNamed,
  type BackboneName,
  backboneNames,
  type Convention,
  conventionsOf,
} from "../backbones/backbone.ts";
import { fieldsOf } from "../network/config-fields.ts";
import type { Initializer } from "../network/initializers.ts";
import type { BandNormalization } from "../network/normalization.ts";

/** Boxes the network starts from, around each cell of its five maps (at an 8th to a 128th of the image). */
export interface RetinaNetAnchors {
  /** Side of the smallest square anchor of each map, in pixels, the finest map first. @defaultValue [32, 64, 128, 256, 512] */
  readonly sizes?: readonly number[];
  /** Each size is taken times each of these, cut to whole pixels. @defaultValue [1, 2 ** (1 / 3), 2 ** (2 / 3)] */
  readonly scales?: readonly number[];
  /** Height over width. @defaultValue [0.5, 1, 2] */
  readonly ratios?: readonly number[];
}

/** What `createRetinaNet` takes. */
export interface RetinaNetConfig {
  /** Bands of the images. */
  readonly bands: number;
  /** Classes of objects; background is none of them. */
  readonly classes: number;
  /** Encoder, by our names or torchvision's. @defaultValue "resnet18" */
  readonly backbone?: BackboneName | BackboneAlias;
  /** Which line of networks the encoder follows where they differ, as for a U-Net. @defaultValue "torch" */
  readonly convention?: Convention;
  readonly anchors?: RetinaNetAnchors;
  /** Channels of the feature pyramid and of both heads. @defaultValue 256 */
  readonly fpnWidth?: number;
  /** Convolutions of each head in front of its last. @defaultValue 4 */
  readonly headDepth?: number;
  /** Normalization between the encoder's layers: over the batch, or over groups of channels of each image. @defaultValue "batch" */
  readonly norm?: "batch" | "group";
  /** Groups of group norm; a layer whose filters it does not divide takes the next smaller divisor. @defaultValue 8 */
  readonly groups?: number;
  /** `(x - mean) / std` of the raw pixel values, part of the network. @defaultValue none: pixels enter as they are */
  readonly normalization?: BandNormalization | null;
  /** How the encoder's weights begin; pyramid and heads always begin as torchvision's. @defaultValue "torch" */
  readonly initializer?: Initializer;
}

/** A complete, checked {@link RetinaNetConfig}: plain JSON, kept in model packages. */
export interface ResolvedRetinaNetConfig extends Readonly<Record<string, unknown>> {
  readonly bands: number;
  readonly classes: number;
  readonly backbone: BackboneName;
  readonly convention: Convention;
  readonly anchors: Readonly<Required<RetinaNetAnchors>>;
  readonly fpnWidth: number;
  readonly headDepth: number;
  readonly norm: "batch" | "group";
  readonly groups: number;
  readonly normalization: BandNormalization | null;
  readonly initializer: Initializer;
}

/** Maps of the pyramid. */
const LEVELS = 5;
const SIZES = [32, 64, 128, 256, 512];
const SCALES = [1, 2 ** (1 / 3), 2 ** (2 / 3)];
const RATIOS = [0.5, 1, 2];

const { whole, oneOf, positives, bandsOf, classesOf, normalizationOf, wrong } = fieldsOf("RetinaNet");

/**
 * Fills in the defaults and checks every field.
 *
 * @throws INVALID_ARGUMENT that names the field, what was given and what is expected
 */
export function resolveRetinaNetConfig(config: RetinaNetConfig): ResolvedRetinaNetConfig {
  const bands = bandsOf(config.bands);
  const given = config.backbone ?? "resnet18";
  const backbone = (typeof given === "string" ? backboneNamed(given) : null) ?? oneOf("backbone", given as BackboneName, backboneNames());
  return {
    bands,
    classes: classesOf(config.classes),
    backbone,
    convention: oneOf("convention", config.convention ?? "torch", conventionsOf(backbone)),
    anchors: anchorsOf(config.anchors ?? {}),
    fpnWidth: whole("fpnWidth", config.fpnWidth ?? 256, 1, 4096),
    headDepth: whole("headDepth", config.headDepth ?? 4, 0, 16),
    norm: oneOf("norm", config.norm ?? "batch", ["batch", "group"]),
    groups: whole("groups", config.groups ?? 8, 1, 4096),
    normalization: normalizationOf(config.normalization, bands),
    initializer: oneOf("initializer", config.initializer ?? "torch", ["torch", "heNormal"]),
  };
}

/** Anchors of one cell. */
export function anchorsPerCell({ scales, ratios }: ResolvedRetinaNetConfig["anchors"]): number {
  return scales.length * ratios.length;
}

function anchorsOf(given: RetinaNetAnchors): ResolvedRetinaNetConfig["anchors"] {
  if (typeof given !== "object" || given === null) throw wrong("anchors", given, "sizes, scales and ratios");
  const anchors = {
    sizes: positives("anchors.sizes", given.sizes ?? SIZES, [LEVELS, LEVELS], 65536),
    scales: positives("anchors.scales", given.scales ?? SCALES, [1, 16], 64),
    ratios: positives("anchors.ratios", given.ratios ?? RATIOS, [1, 16], 64),
  };
  if (Math.min(...anchors.sizes) * Math.min(...anchors.scales) < 1)
    throw wrong("anchors", given, "sizes that are at least 1 pixel times every scale");
  return anchors;
}
