/** The layers of a RetinaNet (Lin et al. 2017, https://arxiv.org/abs/1708.02002), with torchvision's names and first values. */

import * as tf from "@tensorflow/tfjs";

import { createBackbone, normOf } from "../backbones/backbone.ts";
import { featurePyramid } from "../backbones/fpn.ts";
import { createLayerFactory, type LayerFactory } from "../network/blueprint.ts";
import { chain, type Layer, type LayerContext } from "../network/layer.ts";
import { activate } from "../network/layers.ts";
import type { FirstValues, ParameterSpec } from "../network/parameter-spec.ts";
import { anchorsPerCell, type ResolvedRetinaNetConfig } from "./config.ts";

/** Name of the layer that depends on the classes. */
export const CLASS_LAYER = "head.classification_head.cls_logits";
/** The first maps of an encoder that are too fine for the pyramid: at a half and a quarter of the image. */
const SKIPPED = 2;
/** How sure an untrained network is that an anchor is an object: rarely one is. */
const PRIOR = 0.01;
const NARROW: FirstValues = { kind: "normal", deviation: 0.01 };
const NOUGHT: FirstValues = { kind: "constant", value: 0 };

/** What an encoder, a pyramid and two heads give of each level. */
export interface LevelOutputs {
  /** `[N, anchors, classes]` */
  readonly logits: tf.Tensor3D;
  /** `[N, anchors, 4]` */
  readonly boxes: tf.Tensor3D;
}

/** Layers from normalized pixels to the outputs of each level; their parameters are added to `parameters`. */
export function retinaNetLayers(
  config: ResolvedRetinaNetConfig,
  parameters: ParameterSpec[],
): { readonly layers: (images: tf.Tensor4D, context: LayerContext) => readonly LevelOutputs[]; readonly bandLayer: string } {
  const { classes, fpnWidth, headDepth, anchors, backbone, convention } = config;
  const encoder = createLayerFactory(parameters, { ...config, ...normOf(backbone, convention), backbone: true });
  const others = createLayerFactory(parameters, { ...config, backbone: false });
  const each = anchorsPerCell(anchors);

  const { widths, bandLayer, forward } = createBackbone(backbone, encoder, config);
  const pyramid = featurePyramid(others, { inputs: widths.slice(SKIPPED), width: fpnWidth, last: "p6p7" });
  const rare: FirstValues = { kind: "constant", value: -Math.log((1 - PRIOR) / PRIOR) };
  const classTower = tower(others, "head.classification_head", fpnWidth, headDepth);
  const classHead = others.conv(CLASS_LAYER, {
    ...{ inputs: fpnWidth, outputs: each * classes, size: 3, bias: true },
    first: { weight: NARROW, bias: rare },
  });
  const boxTower = tower(others, "head.regression_head", fpnWidth, headDepth);
  const boxHead = others.conv("head.regression_head.bbox_reg", {
    ...{ inputs: fpnWidth, outputs: each * 4, size: 3, bias: true },
    first: { weight: NARROW, bias: NOUGHT },
  });

  const layers = (images: tf.Tensor4D, context: LayerContext): readonly LevelOutputs[] =>
    pyramid(forward(images, context).slice(SKIPPED), context).map((map) => {
      const [n, height, width] = map.shape;
      const listed = (x: tf.Tensor4D, numbers: number): tf.Tensor3D => tf.reshape(x, [n, height * width * each, numbers]);
      return {
        logits: listed(classHead(classTower(map, context), context), classes),
        boxes: listed(boxHead(boxTower(map, context), context), 4),
      };
    });
  return { layers, bandLayer };
}

/** 3x3 convolutions with ReLU, shared by all levels. */
function tower(layers: LayerFactory, name: string, width: number, depth: number): Layer {
  const convs = Array.from({ length: depth }, (_, i): Layer => {
    const conv = layers.conv(`${name}.conv.${i}.0`, {
      ...{ inputs: width, outputs: width, size: 3, bias: true },
      first: { weight: NARROW, bias: NOUGHT },
    });
    return (x, context) => activate(conv(x, context), "relu");
  });
  return chain(...convs);
}
