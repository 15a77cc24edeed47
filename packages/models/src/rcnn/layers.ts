/** The layers of an R-CNN with a feature pyramid (Ren et al. 2015, He et al. 2017, Lin et al. 2017), with torchvision's names and first values. */

import { conv2dTranspose } from "@geolearn/engine";
import * as tf from "@tensorflow/tfjs";

import { createBackbone, normOf } from "../backbones/backbone.ts";
import { featurePyramid } from "../backbones/fpn.ts";
import { createLayerFactory, type LayerFactory } from "../network/blueprint.ts";
import { chain, type Layer, type LayerContext } from "../network/layer.ts";
import { activate } from "../network/layers.ts";
import type { FirstValues, ParameterSpec } from "../network/parameter-spec.ts";
import type { ResolvedFasterRCNNConfig, ResolvedMaskRCNNConfig } from "./config.ts";

/** Bins along each side of what is cut out for the box head and for the mask head; masks have twice as many. */
export const BOX_BINS = 7;
export const MASK_BINS = 14;

/** Names of the layers that depend on the classes. */
export const BOX_CLASSES = "roi_heads.box_predictor";
export const MASK_CLASSES = "roi_heads.mask_predictor.mask_fcn_logits";
/** The first map of an encoder, at half the image, is too fine for the pyramid. */
const SKIPPED = 1;
const NARROW: FirstValues = { kind: "normal", deviation: 0.01 };
const NOUGHT: FirstValues = { kind: "constant", value: 0 };

/** Encoder and pyramid with the heads of the proposal network. */
export interface RegionLayers {
  /** Maps at a quarter to a 32nd of the image. */
  readonly maps: (images: tf.Tensor4D, context: LayerContext) => readonly tf.Tensor4D[];
  /** Objectness `[N, anchors]` and boxes `[N, anchors, 4]` of each of five levels: those of the maps, and every second cell of the last. */
  readonly regions: (
    maps: readonly tf.Tensor4D[],
    context: LayerContext,
  ) => { readonly objectness: readonly tf.Tensor2D[]; readonly deltas: readonly tf.Tensor3D[] };
  /** Features `[R, 7, 7, C]` to class logits `[R, 1 + classes]`, background first, and a box for each of them `[R, (1 + classes) * 4]`. */
  readonly boxes: (features: tf.Tensor4D, context: LayerContext) => { readonly logits: tf.Tensor2D; readonly told: tf.Tensor2D };
  readonly bandLayer: string;
}

/** Declares all layers but those of masks; their parameters are added to `parameters`. */
export function regionLayers(config: ResolvedFasterRCNNConfig, parameters: ParameterSpec[]): RegionLayers {
  const { classes, fpnWidth, boxHeadWidth, anchors, backbone, convention } = config;
  const encoder = createLayerFactory(parameters, { ...config, ...normOf(backbone, convention), backbone: true });
  const others = createLayerFactory(parameters, { ...config, backbone: false });
  const each = anchors.ratios.length;

  const { widths, bandLayer, forward } = createBackbone(backbone, encoder, config);
  const pyramid = featurePyramid(others, { inputs: widths.slice(SKIPPED), width: fpnWidth });
  const head = (name: string, outputs: number, size: number): Layer =>
    others.conv(`rpn.head.${name}`, { ...{ inputs: fpnWidth, outputs, size, bias: true }, first: { weight: NARROW, bias: NOUGHT } });
  const common = head("conv.0.0", fpnWidth, 3);
  const objectness = head("cls_logits", each, 1);
  const deltas = head("bbox_pred", 4 * each, 1);
  const linear = linearOf(others);
  const fc6 = linear("roi_heads.box_head.fc6", fpnWidth * BOX_BINS ** 2, boxHeadWidth);
  const fc7 = linear("roi_heads.box_head.fc7", boxHeadWidth, boxHeadWidth);
  const score = linear(`${BOX_CLASSES}.cls_score`, boxHeadWidth, 1 + classes);
  const box = linear(`${BOX_CLASSES}.bbox_pred`, boxHeadWidth, 4 * (1 + classes));

  return {
    bandLayer,
    maps: (images, context) => pyramid(forward(images, context).slice(SKIPPED), context),
    regions(maps, context) {
      const found = [...maps, everySecond(maps.at(-1)!)].map((map) => {
        const [n, height, width] = map.shape;
        const count = height * width * each;
        const shared = activate(common(map, context), "relu");
        return {
          objectness: tf.reshape(objectness(shared, context), [n, count]) as tf.Tensor2D,
          deltas: tf.reshape(deltas(shared, context), [n, count, 4]) as tf.Tensor3D,
        };
      });
      return { objectness: found.map((level) => level.objectness), deltas: found.map((level) => level.deltas) };
    },
    boxes(features, context) {
      // PyTorch's order: channel by channel.
      const flat = tf.reshape(tf.transpose(features, [0, 3, 1, 2]), [features.shape[0], fpnWidth * BOX_BINS ** 2]) as tf.Tensor2D;
      const hidden = tf.relu(fc7(tf.relu(fc6(flat, context)), context));
      return { logits: score(hidden, context), told: box(hidden, context) };
    },
  };
}

/** What the layers of masks are made from. */
export type MaskLayersConfig = Pick<ResolvedMaskRCNNConfig, "classes" | "fpnWidth" | "maskHeadWidth" | "maskHeadDepth" | "norm" | "groups">;

/** Features `[R, 14, 14, C]` to mask logits `[R, 28, 28, 1 + classes]`, background first; parameters are added to `parameters`. */
export function maskLayers(
  { classes, fpnWidth, maskHeadWidth, maskHeadDepth, ...config }: MaskLayersConfig,
  parameters: ParameterSpec[],
): Layer {
  const factory = createLayerFactory(parameters, { norm: config.norm, groups: config.groups, backbone: false });
  const convs = Array.from({ length: maskHeadDepth }, (_, i): Layer => {
    const inputs = i === 0 ? fpnWidth : maskHeadWidth;
    const conv = factory.conv(`roi_heads.mask_head.${i}.0`, {
      ...{ inputs, outputs: maskHeadWidth, size: 3, bias: true },
      first: { weight: fanOut(9 * maskHeadWidth), bias: NOUGHT },
    });
    return (x, context) => activate(conv(x, context), "relu");
  });
  const enlarge = enlargement(maskHeadDepth === 0 ? fpnWidth : maskHeadWidth, maskHeadWidth, parameters);
  const last = factory.conv(MASK_CLASSES, {
    ...{ inputs: maskHeadWidth, outputs: 1 + classes, size: 1, bias: true },
    first: { weight: fanOut(1 + classes), bias: { kind: "uniform", bound: 1 / Math.sqrt(maskHeadWidth) } },
  });
  return chain(...convs, enlarge, last);
}

/** Twice the sides by a transposed convolution of 2 x 2, and ReLU. */
function enlargement(inputs: number, outputs: number, parameters: ParameterSpec[]): Layer {
  const name = "roi_heads.mask_predictor.conv5_mask";
  const bound = 1 / Math.sqrt(4 * outputs);
  parameters.push(
    {
      name: `${name}.weight`,
      shape: [inputs, outputs, 2, 2],
      role: "kernel",
      fanIn: 4 * outputs,
      backbone: false,
      first: fanOut(4 * inputs),
    },
    { name: `${name}.bias`, shape: [outputs], role: "bias", fanIn: 4 * outputs, backbone: false, first: { kind: "uniform", bound } },
  );
  return (x, { value }) =>
    tf.relu(conv2dTranspose(x, value(`${name}.weight`) as unknown as tf.Tensor4D, { strides: 2, bias: value(`${name}.bias`) }));
}

/** What torchvision's mask head begins with: He et al. 2015 by the outputs that an input meets. */
function fanOut(count: number): FirstValues {
  return { kind: "normal", deviation: Math.sqrt(2 / count) };
}

/** Linear layers with PyTorch's first values. */
function linearOf(layers: LayerFactory) {
  return (name: string, inputs: number, outputs: number) => {
    const first: FirstValues = { kind: "uniform", bound: 1 / Math.sqrt(inputs) };
    return layers.linear(name, { inputs, outputs, first: { weight: first, bias: first } });
  };
}

/** torchvision's `LastLevelMaxPool`. */
function everySecond(map: tf.Tensor4D): tf.Tensor4D {
  return tf.stridedSlice(map, [0, 0, 0, 0], map.shape, [1, 2, 2, 1]) as tf.Tensor4D;
}
