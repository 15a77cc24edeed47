/** The layers of an FCOS (Tian et al. 2019, https://arxiv.org/abs/1904.01355), with torchvision's names and first values. */

import * as tf from "@tensorflow/tfjs";

import { createBackbone, normOf } from "../backbones/backbone.ts";
import { featurePyramid } from "../backbones/fpn.ts";
import { createLayerFactory, type LayerFactory } from "../network/blueprint.ts";
import { chain, type Layer, type LayerContext } from "../network/layer.ts";
import { activate } from "../network/layers.ts";
import type { FirstValues, ParameterSpec } from "../network/parameter-spec.ts";
import type { ResolvedFCOSConfig } from "./config.ts";
import type { FcosOutputs } from "./outputs.ts";

/** Name of the layer that depends on the classes. */
export const CLASS_LAYER = "head.classification_head.cls_logits";
/** The first maps of an encoder that are too fine for the pyramid: at a half and a quarter of the image. */
const SKIPPED = 2;
/** How sure an untrained network is that a point lies in an object: rarely one does. */
const PRIOR = 0.01;
/** Groups of the heads' norms, as in torchvision, and channels of a group where the width is no multiple of them. */
const GROUPS = 32;
const GROUP_CHANNELS = 8;
const NARROW: FirstValues = { kind: "normal", deviation: 0.01 };
const NOUGHT: FirstValues = { kind: "constant", value: 0 };

/** An encoder with its pyramid, and what two heads say of each map. */
export interface FcosLayers {
  /** Maps at an 8th to a 128th of the image. */
  readonly maps: (images: tf.Tensor4D, context: LayerContext) => readonly tf.Tensor4D[];
  readonly heads: (maps: readonly tf.Tensor4D[], context: LayerContext) => Pick<FcosOutputs, "logits" | "boxes" | "centreness">;
  readonly bandLayer: string;
}

/** Declares all layers, from normalized pixels to the outputs of each level; their parameters are added to `parameters`. */
export function fcosLayers(config: ResolvedFCOSConfig, parameters: ParameterSpec[]): FcosLayers {
  const { classes, fpnWidth, headDepth, backbone, convention } = config;
  const encoder = createLayerFactory(parameters, { ...config, ...normOf(backbone, convention), backbone: true });
  const groups = headGroups(fpnWidth);
  const others = createLayerFactory(parameters, { norm: "group", groups, backbone: false });

  const { widths, bandLayer, forward } = createBackbone(backbone, encoder, config);
  const pyramid = featurePyramid(others, { inputs: widths.slice(SKIPPED), width: fpnWidth, last: "p6p7" });
  const last = (name: string, outputs: number, bias: FirstValues): Layer =>
    others.conv(name, { ...{ inputs: fpnWidth, outputs, size: 3, bias: true }, first: { weight: NARROW, bias } });
  const classTower = tower(others, "head.classification_head", fpnWidth, headDepth);
  const classHead = last(CLASS_LAYER, classes, { kind: "constant", value: -Math.log((1 - PRIOR) / PRIOR) });
  const boxTower = tower(others, "head.regression_head", fpnWidth, headDepth);
  const boxHead = last("head.regression_head.bbox_reg", 4, NOUGHT);
  const centreHead = last("head.regression_head.bbox_ctrness", 1, NOUGHT);

  return {
    bandLayer,
    maps: (images, context) => pyramid(forward(images, context).slice(SKIPPED), context),
    heads(maps, context) {
      const levels = maps.map((map) => {
        const ofBoxes = boxTower(map, context);
        return {
          logits: listed(classHead(classTower(map, context), context)),
          boxes: listed(activate(boxHead(ofBoxes, context), "relu")),
          centreness: listed(centreHead(ofBoxes, context)),
        };
      });
      const all = (key: keyof (typeof levels)[number]): readonly tf.Tensor3D[] => levels.map((level) => level[key]);
      return { logits: all("logits"), boxes: all("boxes"), centreness: all("centreness") };
    },
  };
}

/** Groups of the norms in heads of a width: 32 where they divide it, else so many that a group has eight channels or a few more. */
function headGroups(width: number): number {
  return width % GROUPS === 0 ? GROUPS : Math.max(1, Math.floor(width / GROUP_CHANNELS));
}

/** 3x3 convolutions with group norm and ReLU, shared by all levels. */
function tower(layers: LayerFactory, name: string, width: number, depth: number): Layer {
  const steps = Array.from({ length: depth }, (_, i): Layer => {
    const conv = layers.conv(`${name}.conv.${3 * i}`, {
      ...{ inputs: width, outputs: width, size: 3, bias: true },
      first: { weight: NARROW, bias: NOUGHT },
    });
    return chain(conv, layers.norm(`${name}.conv.${3 * i + 1}`, width, "relu"));
  });
  return chain(...steps);
}

/** A map `[N, H, W, numbers]` as a list of points. */
function listed(map: tf.Tensor4D): tf.Tensor3D {
  const [n, height, width, numbers] = map.shape;
  return tf.reshape(map, [n, height * width, numbers]);
}
