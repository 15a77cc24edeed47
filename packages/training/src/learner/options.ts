/** What a Learner and its methods are told. */

import type { NetworkPolicy, WorkOptions } from "@geolearn/core";
import type { Device } from "@geolearn/engine";
import type {
  AnyModelExtension,
  BandNormalization,
  Convention,
  FCOSConfig,
  MaskRCNNConfig,
  ModelPackage,
  PerUse,
  PixelLossSpec,
  RetinaNetConfig,
  SSDConfig,
  TileLossSpec,
  UNetBackbone,
} from "@geolearn/models";

import type { ScheduleName } from "../schedule/schedules.ts";
import type { EpochRecord } from "./records.ts";

/** Options of `createLearner`; `signal` and `onProgress` are for weights that are fetched. */
export interface LearnerOptions extends WorkOptions {
  /**
   * Architecture: one of geolearn's (`"unet"`, `"deeplab"`, `"pspnet"`, `"change-detector"`, `"retinanet"`, `"fcos"`, `"ssd"`, `"faster-rcnn"`, `"mask-rcnn"`, `"centermask"`, `"feature-classifier"`), or the name of one that `defineModel` has
   * made known. @defaultValue "unet", to detect objects "retinanet", to outline them "mask-rcnn", to classify them "feature-classifier"
   */
  readonly modelType?: string;
  /** A network of your own, as `defineModel` gives it back; instead of `modelType`. @defaultValue none */
  readonly model?: AnyModelExtension;
  /** Settings of a network of your own, which its `resolve` completes. @defaultValue its defaults; with `pretrained` the package's */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Borrowed encoder (ResNet, MobileNet V2 and V3, EfficientNet), or null for the plain one of a U-Net. @defaultValue null for a U-Net, "resnet50" for DeepLab and PSPNet, "mobilenetv3-large" for an SSDLite, else "resnet18" */
  readonly backbone?: UNetBackbone | null;
  /** How the encoder pads and normalizes: see `UNetConfig`. @defaultValue what the names of `weights` tell, else "torch" */
  readonly convention?: Convention;
  /**
   * First weights of the backbone: `"random"`, a file (safetensors, `.pth`, `.onnx`, a `model.json`), or an address with a
   * checksum, `"https://...#sha256=..."`, which is fetched once into the cache. Nothing else is downloaded. @defaultValue "random"
   */
  readonly weights?: string;
  /** SHA-256 of the weights at an address, instead of `#sha256=` behind it. */
  readonly sha256?: string;
  /** Rules for fetching weights. @defaultValue any public host */
  readonly network?: NetworkPolicy;
  /**
   * What is taken from the pixels and what they are divided by, inside the network: the mean and deviation of each band of the
   * data, those of ImageNet (8-bit red, green, blue), with which published weights were learnt, or your own.
   * @defaultValue "data"; with `pretrained` and the same number of bands the package's
   */
  readonly normalization?: "data" | "imagenet" | BandNormalization;
  /** A model package (`.dlpk`) of the same network to start from (a U-Net and a change detector count as the same); layers for other classes or bands begin anew. */
  readonly pretrained?: string | Uint8Array | ModelPackage;
  /** Filters of the plain encoder's first level. @defaultValue 16 */
  readonly base?: number;
  /** Levels of a U-Net's plain encoder; maps that a PSPNet takes from its encoder. @defaultValue 4; for a PSPNet 3 */
  readonly depth?: number;
  /** Filters of each level of the plain encoder and of its middle, instead of `base` and `depth`. */
  readonly widths?: readonly number[];
  /** Filters of a U-Net's decoder behind a borrowed encoder. */
  readonly decoderWidths?: readonly number[];
  /** Channels of the decoder of a DeepLab or PSPNet. @defaultValue 256, of a PSPNet 512 */
  readonly decoderWidth?: number;
  /** How much smaller than the image the last map of a DeepLab's or PSPNet's encoder is; kept large by dilated convolutions. @defaultValue 16, of a PSPNet 8 */
  readonly outputStride?: 8 | 16 | 32;
  /** Distances at which a DeepLab looks around each pixel of that map. @defaultValue [6, 12, 18], with output stride 8 twice as much */
  readonly atrousRates?: readonly number[];
  /** Grids whose means a PSPNet looks at, cells along a side. @defaultValue [1, 2, 3, 6] */
  readonly pyramidSizes?: readonly number[];
  /**
   * Share of values that a DeepLab, PSPNet or FeatureClassifier leaves out in each training step. @defaultValue 0.5, for a PSPNet 0.2, for a
   * FeatureClassifier torchvision's for the backbone
   */
  readonly dropout?: number;
  /** What a change detector's decoder sees of two dates: how far they differ, or both side by side. @defaultValue "difference" */
  readonly fusion?: "difference" | "concat";
  /** @defaultValue "concat" */
  readonly skips?: "concat" | "add";
  /** Pixels at each border of a chip that are seen but not scored. @defaultValue 0 */
  readonly margin?: number;
  /** Normalization between layers. @defaultValue "batch" */
  readonly norm?: "batch" | "group";
  /** Groups of group norm. @defaultValue 8 */
  readonly groups?: number;
  /**
   * Boxes that detectors start from: `sizes`, `scales` and `ratios` of a RetinaNet or R-CNN; `scales` and `ratios`, or `grids`, `zooms` and `ratios` as in
   * arcgis.learn, of a SingleShotDetector (see `SSDConfig`). @defaultValue sides of 32 to 512 pixels in three steps each, of three shapes, or sizes that
   * fit the objects where these do not; of a
   * SingleShotDetector from a fifteenth of the chip to all of it
   */
  readonly anchors?: RetinaNetConfig["anchors"] | SSDConfig["anchors"];
  /** Layers of a SingleShotDetector behind its encoder: the paper's, or SSDLite's for small devices. @defaultValue "standard" */
  readonly variant?: SSDConfig["variant"];
  /** How many times smaller than the chip each map of a SingleShotDetector is. @defaultValue from 8 (lite from 16) until a single cell is left; for grids the coarsest with enough cells */
  readonly maps?: SSDConfig["maps"];
  /** Half the channels in the last layers of a MobileNetV3 under an SSDLite. @defaultValue true unless `weights` are given */
  readonly reducedTail?: SSDConfig["reducedTail"];
  /** Which of its maps an FCOS or CenterMask finds which objects on: see `FCOSConfig`. @defaultValue [64, 128, 256, 512], of a compact CenterMask half of that */
  readonly objectSizes?: FCOSConfig["objectSizes"];
  /** Channels of a detector's pyramid, and of the heads of a RetinaNet, FCOS or CenterMask. @defaultValue 256, of a compact R-CNN or CenterMask 64 */
  readonly fpnWidth?: number;
  /** Convolutions of each head of a RetinaNet, FCOS or CenterMask in front of its last. @defaultValue 4, of a compact CenterMask 2 */
  readonly headDepth?: number;
  /**
   * Where the widths, anchors and numbers of a Faster or Mask R-CNN or a CenterMask come from that are not given: `"full"` is torchvision's, `"compact"` for small
   * chips. @defaultValue "compact" for chips of up to 256 pixels, else "full"; with `pretrained` the package's
   */
  readonly preset?: MaskRCNNConfig["preset"];
  /** Outputs of the linear layers of an R-CNN's box head. @defaultValue 1024, compact 256 */
  readonly boxHeadWidth?: number;
  /** Channels of the mask head of a Mask R-CNN or CenterMask. @defaultValue 256, compact 64 */
  readonly maskHeadWidth?: number;
  /** Convolutions of the mask head of a Mask R-CNN or CenterMask. @defaultValue 4, compact 2 */
  readonly maskHeadDepth?: number;
  /** Best anchors of each map that an R-CNN looks at, in training and when finding. @defaultValue [2000, 1000], compact [500, 500] */
  readonly candidates?: PerUse;
  /** Proposals of an image that an R-CNN keeps, in training and when finding. @defaultValue [2000, 1000], compact [200, 100] */
  readonly proposals?: PerUse;
  /** Anchors of an image an R-CNN learns from in a step. @defaultValue 256 */
  readonly rpnSamples?: number;
  /** Proposals of an image an R-CNN learns from in a step, or objects a CenterMask's mask head does. @defaultValue 512, compact 64; of a CenterMask 128, compact 16 */
  readonly rois?: number;
  /** Objects an R-CNN or CenterMask finds on an image at most. @defaultValue 100, compact 50 */
  readonly detections?: number;
  /** Score from which a chip has a class, for each class, where chips may have several. @defaultValue 0.5 each */
  readonly thresholds?: readonly number[];
  /** A loss by name, or with its settings. @defaultValue "crossEntropy"; "binaryCrossEntropy" where chips may have several classes */
  readonly loss?: PixelLossSpec["type"] | PixelLossSpec | TileLossSpec["type"] | TileLossSpec;
  /** Weight of each class in the loss, in class order; `"balanced"` takes the inverse frequencies of the data. @defaultValue none */
  readonly classWeights?: "balanced" | readonly number[];
  /** Classes, by name or value, that neither loss nor metrics look at. @defaultValue none */
  readonly ignoreClasses?: readonly (string | number)[];
  /** Holds the backbone's weights until `unfreeze()`. @defaultValue true when its weights were loaded, else false */
  readonly freeze?: boolean;
  /** Seed of the first weights. @defaultValue the seed of the data */
  readonly seed?: number;
  /** Where the network runs; decided once a process. @defaultValue "cpu" */
  readonly device?: Device;
  /** Threads of one operation on the CPU. @defaultValue the cores this process may use */
  readonly threads?: number;
  /** Name in the model package. @defaultValue the architecture */
  readonly name?: string;
  /** Receives hints, one line each: which weights were loaded, which layers begin anew. */
  readonly log?: (line: string) => void;
}

/** What `fit` watches to find the best epoch: a loss, or a metric of {@link EpochRecord}. */
export type Monitor = "validLoss" | "trainLoss" | PixelMonitor | ObjectMonitor | MaskMonitor | TileMonitor;
/** Metrics of pixel classification. */
export type PixelMonitor = "pixelAccuracy" | "meanIou" | "kappa" | `iou ${string}`;
/** Metrics of object detection. */
export type ObjectMonitor = "AP" | "AP50" | "AP75" | "AR100" | `AP50 ${string}`;
/** Metrics of instance segmentation beside those of boxes: the same of masks. */
export type MaskMonitor = `mask ${ObjectMonitor}`;

/** Metrics of classifying whole chips: the first four where a chip has one class, `exactMatch`, `meanF1` and `meanAp` where it may have several. */
export type TileMonitor = "accuracy" | "top5Accuracy" | "kappa" | "meanF1" | "exactMatch" | "meanAp" | `f1 ${string}`;

/** When to stop because nothing gets better. */
export interface EarlyStopping {
  /** Epochs without a gain before the end. @defaultValue 5 */
  readonly patience?: number;
  /** Least change of the monitored figure that counts as a gain. @defaultValue 0.001 */
  readonly minDelta?: number;
}

/** Told of what happens in `fit`; may throw to end it. */
export interface FitCallback {
  /** After each training step. */
  onStep?(step: StepReport): void | Promise<void>;
  /** After each epoch, before its checkpoint. */
  onEpochEnd?(record: EpochRecord): void | Promise<void>;
}

/** One training step. */
export interface StepReport {
  /** Epoch, from 1. */
  readonly epoch: number;
  /** Batch of the epoch, from 1. */
  readonly batch: number;
  /** Step of this call of `fit`, from 1. */
  readonly step: number;
  readonly loss: number;
  /** Norm of all gradients together, before clipping. */
  readonly gradientNorm: number;
  readonly lr: number;
}

/** How weights are updated. */
export interface OptimizationOptions {
  /** @defaultValue "adamw" */
  readonly optimizer?: "adamw" | "adam" | "sgd";
  /** Decoupled for `adamw`, added to the gradient for the others. @defaultValue 0.01 for adamw, else 0 */
  readonly weightDecay?: number;
  /** Momentum of `sgd`. @defaultValue 0.9 */
  readonly momentum?: number;
  /** Gradients are scaled down to this norm. @defaultValue no limit */
  readonly clipNorm?: number;
}

/** Options of `Learner.fit`. */
export interface FitOptions extends WorkOptions, OptimizationOptions {
  /** @defaultValue 10 */
  readonly epochs?: number;
  /** Highest learning rate; `"auto"` asks `lrFind` first. @defaultValue "auto" */
  readonly lr?: number | "auto";
  /** @defaultValue "oneCycle" */
  readonly schedule?: ScheduleName;
  /** One cycle also moves the first-moment decay, as PyTorch does. @defaultValue true */
  readonly cycleMomentum?: boolean;
  /**
   * What decides which epoch is the best; of epochs with the same figure the one with the lower validation loss. A figure that never
   * changed is told in a warning (`MONITOR_UNCHANGED`). @defaultValue "validLoss"
   */
  readonly monitor?: Monitor;
  /** Ends the run when the monitored figure stops getting better. @defaultValue false */
  readonly earlyStopping?: boolean | EarlyStopping;
  /** At the end the weights of the best epoch are put back; false keeps the last. @defaultValue true */
  readonly restoreBest?: boolean;
  /** Folder for the checkpoint of this run; one run a folder. @defaultValue none */
  readonly checkpoint?: string;
  /** Steps between checkpoints inside an epoch; there is always one after each epoch. @defaultValue none inside */
  readonly checkpointEvery?: number;
  /** Goes on from the checkpoint in the folder, if there is one. @defaultValue false */
  readonly resume?: boolean;
  readonly callbacks?: readonly FitCallback[];
  /**
   * Folder for TensorBoard: loss, learning rate and norm of the gradients of each step; losses, metrics and some results of each
   * epoch; the settings. A resumed run goes on with the right steps. @defaultValue none
   */
  readonly tensorboard?: string;
}

/** What `fit` did. */
export interface FitResult {
  /** The epochs of this call. */
  readonly epochs: readonly EpochRecord[];
  /** The epoch whose weights the learner holds now: the best, or the last; null when none was finished. */
  readonly best: number | null;
  /** Highest learning rate used. */
  readonly lr: number;
  /** Why it ended. */
  readonly ended: "finished" | "earlyStopping";
  /** Wall-clock seconds, those of the learning-rate sweep included, without those of runs before a resume. */
  readonly seconds: number;
  /** Seconds of the learning-rate sweep; null when `lr` was given or a resumed run had found it. */
  readonly lrFindSeconds: number | null;
}

/** Options of `Learner.lrFind`. */
export interface LrFindOptions extends WorkOptions, OptimizationOptions {
  /** First learning rate. @defaultValue 1e-6 */
  readonly from?: number;
  /** Last learning rate. @defaultValue 1 */
  readonly to?: number;
  /** Steps of the sweep. @defaultValue 100 */
  readonly steps?: number;
}
