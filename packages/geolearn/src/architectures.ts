/** Architectures by name: a network, a task and its defaults. */

import type { DataOf } from "@geolearn/data-prep";
import { GeoLearnError } from "@geolearn/core";
import { type LearnerOf, type LearnerOptions, type TrainableTask, createLearner } from "@geolearn/training";

/** What an architecture decides itself. */
const DECIDED = ["model", "modelType", "config"] as const;

/** Makes learners of one architecture. */
export interface Architecture<T extends TrainableTask> {
  /**
   * A learner for the data.
   *
   * @throws INVALID_ARGUMENT for wrong options; CHIP_SIZE_NOT_DIVISIBLE when the chips do not fit the network, and what loading weights throws
   */
  create(data: DataOf<T> & { readonly task: T }, options?: Omit<LearnerOptions, (typeof DECIDED)[number]>): Promise<LearnerOf<T>>;
}

function architecture<T extends TrainableTask>(name: string, modelType: string): Architecture<T> {
  return {
    async create(data, options = {}) {
      const field = DECIDED.find((key) => key in options);
      if (field !== undefined) {
        throw new GeoLearnError("INVALID_ARGUMENT", `${name}.create() has no option \`${field}\`.`, {
          hint: "Use createLearner(data, options) for a network of your own, or one chosen by its name.",
          data: { field },
        });
      }
      return createLearner<T>(data, { ...options, modelType });
    },
  };
}

/**
 * U-Net: every pixel gets a class (Ronneberger, Fischer and Brox 2015), with a plain encoder, a ResNet, a
 * MobileNetV2 or an EfficientNet.
 *
 * @example
 * const unet = await UNet.create(data, { backbone: "resnet18" });
 * await unet.fit({ epochs: 10 });
 */
export const UNet = architecture<"pixelClassification">("UNet", "unet");

/**
 * RetinaNet: boxes with classes and scores (Lin et al. 2017), with a feature pyramid on a ResNet, a MobileNetV2 or an EfficientNet.
 *
 * @example
 * const trees = await RetinaNet.create(await prepareData("chips", { task: "objectDetection" }), { backbone: "resnet18" });
 * await trees.fit({ epochs: 20, monitor: "AP50" });
 */
export const RetinaNet = architecture<"objectDetection">("RetinaNet", "retinanet");

/**
 * FCOS: boxes with classes and scores, told point by point instead of from anchors (Tian et al. 2019), on the same encoders as {@link RetinaNet}.
 *
 * @example
 * const ships = await FCOS.create(await prepareData("chips", { task: "objectDetection" }), { backbone: "resnet18" });
 * await ships.fit({ epochs: 20, monitor: "AP50" });
 */
export const FCOS = architecture<"objectDetection">("FCOS", "fcos");

/**
 * SingleShotDetector: boxes with classes and scores (Liu et al. 2016), each map of the network for objects of its own size; `variant: "lite"` is the smallest
 * of the detectors. Anchors are shares of the chip (`anchors: { scales, ratios }`), or the cells of grids as in arcgis.learn.
 *
 * @example
 * const data = await prepareData("chips", { task: "objectDetection" });
 * const ships = await SingleShotDetector.create(data, { anchors: { grids: [8, 4], zooms: [0.7, 1, 1.3], ratios: [[1, 1], [1, 0.5]] } });
 * await ships.fit({ epochs: 20, monitor: "AP50" });
 */
export const SingleShotDetector = architecture<"objectDetection">("SingleShotDetector", "ssd");

/**
 * DeepLab v3+: every pixel gets a class (Chen et al. 2018), seen at several distances and with the chip as a whole. On a ResNet-50 unless told otherwise.
 *
 * @example
 * const deepLab = await DeepLab.create(data, { backbone: "resnet18" });
 * await deepLab.fit({ epochs: 10 });
 */
export const DeepLab = architecture<"pixelClassification">("DeepLab", "deeplab");

/**
 * PSPNet: every pixel gets a class (Zhao et al. 2017), seen beside means over parts of the chip. On a ResNet-50 unless told otherwise.
 *
 * @example
 * const pspNet = await PSPNet.create(data, { backbone: "resnet18" });
 * await pspNet.fit({ epochs: 10 });
 */
export const PSPNet = architecture<"pixelClassification">("PSPNet", "pspnet");

/**
 * Faster R-CNN: boxes with classes and scores in two stages (Ren et al. 2015), with a feature pyramid on a ResNet, a MobileNet or an EfficientNet. Chips of
 * up to 256 pixels get compact widths unless `preset: "full"` asks for torchvision's.
 *
 * @example
 * const cars = await FasterRCNN.create(await prepareData("chips", { task: "objectDetection" }), { backbone: "resnet18" });
 * await cars.fit({ epochs: 20, monitor: "AP50" });
 */
export const FasterRCNN = architecture<"objectDetection">("FasterRCNN", "faster-rcnn");

/**
 * Mask R-CNN: objects with classes, scores and outlines (He et al. 2017), on the same encoders as {@link FasterRCNN}.
 *
 * @example
 * const buildings = await MaskRCNN.create(await prepareData("chips", { task: "instanceSegmentation" }), { backbone: "resnet18" });
 * await buildings.fit({ epochs: 20, monitor: "mask AP50" });
 */
export const MaskRCNN = architecture<"instanceSegmentation">("MaskRCNN", "mask-rcnn");

/**
 * CenterMask: objects with classes, scores and outlines, told point by point instead of from anchors (Lee and Park 2020, without attention): an {@link FCOS} with the
 * mask head of a {@link MaskRCNN}. Chips of up to 256 pixels get compact widths unless `preset: "full"` asks for torchvision's.
 *
 * @example
 * const roofs = await CenterMask.create(await prepareData("chips", { task: "instanceSegmentation" }), { backbone: "resnet18" });
 * await roofs.fit({ epochs: 20, monitor: "mask AP50" });
 */
export const CenterMask = architecture<"instanceSegmentation">("CenterMask", "centermask");

/**
 * FeatureClassifier: a chip as a whole gets a class, or several; torchvision's classifiers on a ResNet, a MobileNet or an EfficientNet.
 *
 * @example
 * const roofs = await FeatureClassifier.create(await prepareData("chips", { task: "objectClassification" }), { backbone: "resnet18" });
 * await roofs.fit({ epochs: 20, monitor: "accuracy" });
 */
export const FeatureClassifier = architecture<"objectClassification">("FeatureClassifier", "feature-classifier");

/**
 * A siamese U-Net: every pixel gets a kind of change between two dates (Daudt, Le Saux and Boulch 2018). Chips have the earlier date in `images/`, the later one in
 * `images2/`; 0 is "no change". A model classifies rasters with the bands of both dates, the earlier ones first.
 *
 * @example
 * const detector = await ChangeDetector.create(await prepareData("pairs", { task: "pixelClassification" }), { backbone: "resnet18" });
 * await detector.fit({ epochs: 20 });
 */
export const ChangeDetector = architecture<"pixelClassification">("ChangeDetector", "change-detector");

/** {@link UNet} under the name of arcgis.learn. */
export const UnetClassifier: Architecture<"pixelClassification"> = UNet;

/** {@link PSPNet} under the name of arcgis.learn. */
export const PSPNetClassifier: Architecture<"pixelClassification"> = PSPNet;
