/** Networks, their losses, their weights, and the model package they travel in. */

// networks
export type {
  AnyNetwork,
  BaseNetwork,
  DecodeOptions,
  Detections,
  ForwardOptions,
  Network,
  NetworkOutputs,
  ObjectNetwork,
  ObjectTargets,
  Parameter,
  SizedParameters,
  TileNetwork,
} from "./network.ts";
export type { BandNormalization } from "./network/normalization.ts";
export type { ChangeDetectorConfig, ResolvedChangeDetectorConfig } from "./changedetector/config.ts";
export type { DeepLabConfig, ResolvedDeepLabConfig } from "./deeplab/config.ts";
export type { PSPNetConfig, ResolvedPSPNetConfig } from "./pspnet/config.ts";
export type { ResolvedUNetConfig, UNetBackbone, UNetConfig } from "./unet/config.ts";
export type { FeatureClassifierConfig, ResolvedFeatureClassifierConfig } from "./classifier/config.ts";
export type { DetectorConfig, ResolvedDetectorConfig } from "./detection/detector-config.ts";
export type { RetinaNetAnchors, RetinaNetConfig, ResolvedRetinaNetConfig } from "./retinanet/config.ts";
export type { RetinaNetOutputs } from "./retinanet/outputs.ts";
export type { FCOSConfig, ResolvedFCOSConfig } from "./fcos/config.ts";
export type { FcosOutputs } from "./fcos/outputs.ts";
export type { ResolvedSSDAnchors, ResolvedSSDConfig, SSDAnchors, SSDConfig, SSDGrids } from "./ssd/config.ts";
export type { SSDOutputs } from "./ssd/outputs.ts";
export { ssdMaps } from "./ssd/maps.ts";
export { type FittedAnchors, fitAnchors } from "./detection/fit-anchors.ts";
export type { CenterMaskConfig, ResolvedCenterMaskConfig } from "./centermask/config.ts";
export type {
  FasterRCNNConfig,
  MaskRCNNConfig,
  PerUse,
  RcnnAnchors,
  ResolvedFasterRCNNConfig,
  ResolvedMaskRCNNConfig,
} from "./rcnn/config.ts";
export type { RcnnOutputs } from "./rcnn/outputs.ts";
export { type BackboneAlias, type BackboneName, type Convention, backboneNamed, backboneNames } from "./backbones/backbone.ts";
export type { Initializer } from "./network/initializers.ts";
export type { CreateNetworkOptions } from "./network/instantiate.ts";
export { type ChipSizeRule, checkChipSize } from "./network/chip-size.ts";
export { createChangeDetector } from "./changedetector/change-detector.ts";
export { createDeepLab } from "./deeplab/deeplab.ts";
export { createPSPNet } from "./pspnet/pspnet.ts";
export { createUNet } from "./unet/unet.ts";
export { createFeatureClassifier } from "./classifier/classifier.ts";
export { createRetinaNet } from "./retinanet/retinanet.ts";
export { createFCOS } from "./fcos/fcos.ts";
export { createSSD } from "./ssd/ssd.ts";
export { type CenterMaskOutputs, createCenterMask } from "./centermask/center-mask.ts";
export { createFasterRCNN } from "./rcnn/faster-rcnn.ts";
export { createMaskRCNN } from "./rcnn/mask-rcnn.ts";
export { type CreateAnyNetworkOptions, type NetworkOf, createNetwork, modelTask, modelTypes } from "./network/registry.ts";

// networks of one's own
export type { AnyModelExtension, BuildOptions, ExtensionNetwork, LossContext, ModelExtension, ModelShape } from "./extension/extension.ts";
export { type DefineModelOptions, defineModel, definedModel } from "./extension/defined.ts";
export { normalizeBands } from "./network/layers.ts";

// losses
export {
  type DiceOptions,
  type FocalOptions,
  type MixOptions,
  type PixelLoss,
  type PixelLossOptions,
  type PixelLossSpec,
  pixelLoss,
} from "./losses/pixel-loss.ts";
export { type TileLoss, type TileLossSpec, type TileLosses, meanTileLoss, tileLoss } from "./losses/tile-loss.ts";

// weights
export { type Safetensors, type WriteSafetensorsOptions, encodeSafetensors, parseSafetensors } from "./weights/safetensors.ts";
export { readSafetensors, writeSafetensors } from "./weights/safetensors-file.ts";
export type { ReadWeightsOptions } from "./weights/locate.ts";
export { type WeightFile, type WeightFormat, readWeights } from "./weights/read-weights.ts";
export type { EncoderScheme } from "./weights/encoder-names.ts";
export { type EncoderWeightsReport, encoderConvention, loadEncoderWeights } from "./weights/encoder-weights.ts";
export { type ClassifierWeightsReport, loadClassifierWeights } from "./weights/classifier-weights.ts";
export { type DetectorWeightsReport, loadDetectorWeights } from "./weights/detector-weights.ts";

// model packages
export type { ModelManifest } from "./manifest.ts";
export { type ModelDescription, describeModelPackage } from "./package/describe.ts";
export type { ForeignClass } from "./package/foreign.ts";
export { type ModelPackage, readModelPackage } from "./package/read.ts";
export { type ModelPackageContent, encodeModelPackage, writeModelPackage } from "./package/write.ts";
export { type AdaptWeightsOptions, type AdaptWeightsReport, type LoadNetworkOptions, adaptWeights, loadNetwork } from "./package/load.ts";
export { packageContent } from "./package/content.ts";
export { type BlockShape, scoreGraph } from "./onnx/score-graph.ts";
export { type GraphBlock, GraphRunner } from "./onnx/graph-runner.ts";
export type { GraphObject } from "./onnx/detector-outputs.ts";
export { tileScores } from "./onnx/tile-outputs.ts";
export { labelledClasses } from "./onnx/labelled-classes.ts";

// ONNX
export type { OnnxExport, OnnxOutput, ToOnnxOptions } from "./onnx/exported.ts";
export { toOnnx } from "./onnx/to-onnx.ts";
export { type SaveOnnxOptions, type SavedOnnx, checkSaveOnnx, saveOnnx } from "./onnx/save-onnx.ts";
export { openOnnx } from "./onnx/open-onnx.ts";
export { type OnnxDescription, describeOnnx } from "./onnx/describe-onnx.ts";
export type { ClassSpec } from "./onnx/classes.ts";
export { type BoxOrder, type OnnxConfig, type OnnxNormalization, type OnnxSpec, ONNX_MODEL_TYPE } from "./onnx/spec.ts";
export type { StacItem } from "./onnx/stac.ts";
