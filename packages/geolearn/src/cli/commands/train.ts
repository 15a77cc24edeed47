/** `geolearn train`: from chips to a model package. */

import { rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { type Task, makeFolder } from "@geolearn/core";
import { type Augmentation, chipFolderTask, prepareData } from "@geolearn/data-prep";
import type { Device } from "@geolearn/engine";
import {
  type BackboneName,
  type ModelPackage,
  backboneNamed,
  backboneNames,
  modelTask,
  modelTypes,
  readModelPackage,
} from "@geolearn/models";
import {
  type FitEstimate,
  type FitOptions,
  type FitResult,
  type Learner,
  type LearnerOptions,
  type Monitor,
  createLearner,
} from "@geolearn/training";
import { Command, InvalidArgumentError, Option } from "commander";
import { type CommandContext, UsageError } from "../context.ts";
import { autoOrNumber, bands, integer, mapping, number, numbers, pairs, several, withDevice, words } from "../options.ts";
import { list, table } from "../table.ts";

interface Options {
  readonly data: string[];
  readonly out: string;
  readonly modelType?: string;
  readonly backbone?: BackboneName;
  readonly normalization?: "data" | "imagenet";
  readonly weights?: string;
  readonly sha256?: string;
  readonly pretrainedModel?: string;
  readonly freeze?: boolean;
  readonly base?: number;
  readonly depth?: number;
  readonly outputStride?: 8 | 16 | 32;
  readonly norm?: "batch" | "group";
  readonly fpnWidth?: number;
  readonly headDepth?: number;
  readonly objectSizes?: number[];
  readonly preset?: "full" | "compact";
  readonly thresholds?: number[];
  readonly anchorSizes?: number[];
  readonly anchorScales?: number[];
  readonly anchorRatios?: number[];
  readonly variant?: "standard" | "lite";
  readonly grids?: number[];
  readonly zooms?: number[];
  readonly ratios?: [number, number][];
  readonly epochs: number;
  readonly batchSize: number;
  readonly chipSize?: number;
  readonly resizeTo?: number;
  readonly lr: number | "auto";
  readonly schedule?: NonNullable<FitOptions["schedule"]>;
  readonly optimizer?: NonNullable<FitOptions["optimizer"]>;
  readonly clipNorm?: number;
  readonly loss?: "crossEntropy" | "focal" | "dice" | "mix" | "binaryCrossEntropy";
  readonly labelSmoothing?: number;
  readonly classWeights?: "balanced" | number[];
  readonly ignoreClasses?: string[];
  readonly bands?: (number | string)[];
  readonly classMapping?: Record<string, string>;
  readonly augment?: Augmentation | boolean;
  readonly earlyStopping?: boolean;
  readonly monitor?: Monitor;
  readonly keepLast?: boolean;
  readonly valSplit?: number;
  readonly split?: string;
  readonly resume?: boolean;
  readonly report?: string;
  readonly tensorboard?: string;
  readonly seed: number;
  readonly device?: Device;
  readonly threads?: number;
  readonly estimate?: boolean;
}

/** Steps between checkpoints inside an epoch. */
const CHECKPOINT_STEPS = 50;

export function trainCommand(contextOf: (command: Command) => CommandContext): Command {
  const command = new Command("train")
    .description("Train a network on chips and write it as a model package.")
    .requiredOption("--data <folder>", "chip folder; may be given several times", several)
    .requiredOption("--out <model.dlpk>", "where the model goes; one that is there is replaced when training has finished")
    .addOption(
      new Option(
        "--model-type <name>",
        "architecture (default: that of --pretrained-model, or what the chips' labels are made for)",
      ).choices(modelTypes()),
    )
    .addOption(
      new Option(
        "--backbone <name>",
        `encoder: ${backboneNames().join(", ")} (default: a plain one for unet, resnet50 for deeplab and pspnet, mobilenetv3-large for a lite ssd, else resnet18)`,
      ).argParser(backboneName),
    )
    .option(
      "--weights <file|address>",
      'weights of the backbone: a file (safetensors, .pth, .onnx, model.json), an address ending in #sha256=..., or "random"',
    )
    .option("--sha256 <digits>", "checksum of weights at an address")
    .addOption(
      new Option("--normalization <constants>", "of the chips' own bands, or ImageNet's (default: data)").choices(["data", "imagenet"]),
    )
    .option("--pretrained-model <model.dlpk>", "a model to start from")
    .option("--freeze", "hold the backbone's weights")
    .option("--no-freeze", "train the backbone from the start")
    .option("--base <filters>", "filters of the plain encoder's first level (default: 16)", integer(1))
    .option("--depth <levels>", "levels of the plain encoder (default: 4); maps a pspnet takes from its encoder (default: 3)", integer(1))
    .option(
      "--output-stride <8|16|32>",
      "how much smaller than the chip the last map of a deeplab or pspnet is (default: 16, pspnet 8)",
      integer(8),
    )
    .addOption(new Option("--norm <name>", "normalization between layers").choices(["batch", "group"]))
    .addOption(
      new Option(
        "--preset <name>",
        "widths of an R-CNN or CenterMask: torchvision's, or those for small chips (default: compact up to 256 pixels)",
      ).choices(["full", "compact"]),
    )
    .option("--fpn-width <channels>", "channels of a detector's pyramid (default: 256, of a compact R-CNN or CenterMask 64)", integer(1))
    .option(
      "--head-depth <layers>",
      "convolutions of each head of a RetinaNet, FCOS or CenterMask (default: 4, of a compact CenterMask 2)",
      integer(0),
    )
    .option(
      "--object-sizes <pixels,...>",
      "four rising distances from a point to the farthest border of its object, which share objects out over the maps of an FCOS or CenterMask (default: 64,128,256,512, of a compact CenterMask half of that)",
      numbers,
    )
    .option(
      "--anchor-sizes <pixels,...>",
      "sides of a detector's anchors, one for each map of the pyramid (default: 32,64,128,256,512, of a compact R-CNN half of that)",
      numbers,
    )
    .option(
      "--anchor-scales <factor,...>",
      "factors of each size, of a RetinaNet (default: 1,1.26,1.587); of an ssd sides as shares of the chip's, one for each map and one more (default: 0.07,0.15,... to 1.05)",
      numbers,
    )
    .option(
      "--anchor-ratios <height/width,...>",
      "shapes of each anchor (default: 0.5,1,2); of an ssd longer over shorter side, lying and standing (default: 2,3)",
      numbers,
    )
    .addOption(new Option("--variant <name>", "layers of an ssd behind its encoder (default: standard)").choices(["standard", "lite"]))
    .option("--grids <cells,...>", "anchors of an ssd as arcgis.learn says them: cells along each side of the chip, of each grid", numbers)
    .option("--zooms <factor,...>", "each cell enlarged by each of these (default: 1)", numbers)
    .option("--ratios <height:width,...>", "height and width in enlarged cells (default: 1:1)", pairs)
    .option("--epochs <number>", "times through the chips", integer(1), 10)
    .option("--batch-size <chips>", "chips per step", integer(1), 8)
    .option("--chip-size <pixels>", "cut chips to this side", integer(1))
    .option("--resize-to <pixels>", "resample chips to this side; for classifying chips as wholes", integer(1))
    .option("--lr <rate>", "highest learning rate; auto finds one first", autoOrNumber, "auto")
    .addOption(
      new Option("--schedule <name>", "course of the learning rate").choices(["one-cycle", "constant", "cosine"]).argParser(scheduleName),
    )
    .addOption(new Option("--optimizer <name>").choices(["adamw", "adam", "sgd"]))
    .option("--clip-norm <norm>", "scale gradients down to this norm", number)
    .addOption(new Option("--loss <name>").choices(["cross-entropy", "focal", "dice", "mix", "binary-cross-entropy"]).argParser(lossName))
    .option(
      "--label-smoothing <share>",
      "share of each chip's weight that is spread over all classes, 0 to 1; for classifying chips as wholes",
      number,
    )
    .option(
      "--thresholds <score,...>",
      "score from which a chip has a class, for each class; where chips may have several (default: 0.5 each)",
      numbers,
    )
    .option("--class-weights <balanced|w,w,...>", "weight of each class in the loss", classWeights)
    .option("--ignore-classes <name,...>", "classes neither loss nor metrics look at", words)
    .option("--bands <band,...>", "bands to use, by number from 0 or by name", bands)
    .option("--class-mapping <value=name,...>", "names for class values; equal names become one class", mapping)
    .option(
      "--augment <none|flips|key=value,...>",
      "changes of training chips, e.g. rotate=15,zoom=1.2,noise=0.05 (default: flips)",
      augmentation,
    )
    .option("--early-stopping", "end when the monitored figure stops getting better")
    .option(
      "--monitor <figure>",
      "validLoss, trainLoss; pixels: pixelAccuracy, meanIou, kappa, 'iou <class>'; objects: AP, AP50, AP75, AR100, 'AP50 <class>', of outlines 'mask AP', 'mask AP50'...; chips: accuracy, top5Accuracy, kappa, meanF1, exactMatch, meanAp, 'f1 <class>' (default: validLoss)",
    )
    .option("--keep-last", "keep the last epoch's weights instead of the best")
    .option("--val-split <share>", "share of chips that validate", number)
    .option("--split <blocks|random|FILE>", "how chips are split; a file lists the validation chips, one a line (default: blocks)")
    .option("--resume", "go on with an interrupted run of the same command")
    .option("--report <report.html>", "write a training report")
    .option("--tensorboard <folder>", "write figures and pictures for TensorBoard while training")
    .option("--seed <number>", "decides first weights, order and augmentation", integer(0), 42)
    .option("--threads <number>", "threads of one operation", integer(1))
    .option("--estimate", "say what it would take, and train nothing");
  return withDevice(command).action(async () => {
    const options = command.opts<Options>();
    const context = contextOf(command);
    checkOutputs(options);
    if (options.estimate) {
      const cost = await withLearner(options, context, (learner, fit) => learner.estimate(fit));
      return context.print(cost, estimateText(cost));
    }
    const { result, model, modelType } = await train(options, context);
    context.print({ model, modelType, epochs: result.epochs, best: result.best, seconds: result.seconds }, resultText(result, model));
  });
}

/** What only shows when the work is done must not fail then. */
function checkOutputs({ out, report }: Options): void {
  if (!/\.dlpk$/i.test(out)) throw new UsageError(`--out is the model package, a .dlpk file; got "${out}".`);
  if (report !== undefined && !/\.html?$/i.test(report)) throw new UsageError(`--report is an .html file; got "${report}".`);
}

async function train(options: Options, context: CommandContext): Promise<{ result: FitResult; model: string; modelType: string }> {
  const { signal, onWarning, note } = context;
  const { out, report } = options;
  for (const path of [out, ...(report === undefined ? [] : [report])]) await makeFolder(dirname(path));
  return withLearner(options, context, async (learner, fit) => {
    // Nothing is said of a former run before it is sure that this one can begin.
    learner.checkFit(fit);
    const checkpoint = fit.checkpoint!;
    const interrupted = (await stat(checkpoint).catch(() => null)) !== null;
    if (options.resume && !interrupted) {
      onWarning({
        code: "NOTHING_TO_RESUME",
        message: `There is no ${checkpoint} to go on from; training starts anew.`,
        hint: "Check --out: it must be the same as before.",
      });
    }
    if (!options.resume && interrupted) {
      onWarning({
        code: "CHECKPOINT_REPLACED",
        message: `${checkpoint} of an interrupted run is replaced; training starts anew.`,
        hint: "Use --resume to go on instead.",
      });
    }
    signal.addEventListener("abort", () => note(`the state of the run is kept in ${checkpoint}; the same command with --resume goes on.`), {
      once: true,
    });
    const result = await learner.fit(fit);
    await learner.save(out);
    if (report !== undefined) await learner.report(report);
    await rm(checkpoint, { recursive: true, force: true });
    return { result, model: out, modelType: learner.network.modelType };
  });
}

/** Opens the data and makes the learner for some work. */
async function withLearner<T>(
  options: Options,
  { signal, onProgress, onWarning, note }: CommandContext,
  work: (learner: Learner, fit: FitOptions) => Promise<T>,
): Promise<T> {
  const start = options.pretrainedModel === undefined ? undefined : await readModelPackage(options.pretrainedModel);
  const data = await prepareData(options.data, {
    task: await taskOf(options, start),
    batchSize: options.batchSize,
    seed: options.seed,
    ...defined({
      chipSize: options.chipSize,
      resizeTo: options.resizeTo,
      valSplit: options.valSplit,
      split: options.split,
      bands: options.bands,
      classMapping: options.classMapping,
      ignoreClasses: options.ignoreClasses,
      augment: options.augment,
    }),
    signal,
    onProgress,
    onWarning,
  });
  try {
    const learner = await createLearner(data, {
      signal,
      onProgress,
      onWarning,
      log: note,
      ...(defined({
        modelType: options.modelType,
        backbone: options.backbone,
        weights: options.weights,
        sha256: options.sha256,
        normalization: options.normalization,
        pretrained: start,
        freeze: options.freeze,
        base: options.base,
        depth: options.depth,
        outputStride: options.outputStride,
        norm: options.norm,
        fpnWidth: options.fpnWidth,
        headDepth: options.headDepth,
        objectSizes: options.objectSizes,
        preset: options.preset,
        variant: options.variant,
        anchors: anchorsOf(options),
        loss: lossOf(options),
        thresholds: options.thresholds,
        classWeights: options.classWeights,
        device: options.device,
        threads: options.threads,
      }) as LearnerOptions),
    });
    try {
      return await work(learner, {
        epochs: options.epochs,
        lr: options.lr,
        checkpoint: `${options.out}.checkpoint`,
        checkpointEvery: CHECKPOINT_STEPS,
        resume: options.resume ?? false,
        earlyStopping: options.earlyStopping ?? false,
        restoreBest: !options.keepLast,
        ...defined({
          schedule: options.schedule,
          optimizer: options.optimizer,
          clipNorm: options.clipNorm,
          monitor: options.monitor,
          tensorboard: options.tensorboard,
        }),
        signal,
        onProgress,
        onWarning,
      });
    } finally {
      await learner.dispose();
    }
  } finally {
    await data.close();
  }
}

/** What is trained for: as the architecture is made, or the model to start from, or the chips. */
async function taskOf({ modelType, data }: Options, start: ModelPackage | undefined): Promise<Task> {
  if (modelType !== undefined) return modelTask(modelType);
  return start?.manifest.task ?? chipFolderTask(data[0]!);
}

/** @throws UsageError for smoothing that the loss does not know */
function lossOf({ loss, labelSmoothing }: Options): LearnerOptions["loss"] {
  if (labelSmoothing === undefined) return loss;
  if (loss !== undefined && loss !== "crossEntropy") throw new UsageError(`--label-smoothing goes with --loss cross-entropy.`);
  return { type: "crossEntropy", labelSmoothing };
}

/** @throws UsageError for anchors said in two ways */
function anchorsOf(options: Options): LearnerOptions["anchors"] {
  const given = defined({ sizes: options.anchorSizes, scales: options.anchorScales, ratios: options.anchorRatios });
  const { grids, zooms, ratios } = options;
  if (grids === undefined && (zooms ?? ratios) !== undefined) throw new UsageError("--zooms and --ratios go with --grids.");
  if (grids === undefined) return Object.keys(given).length === 0 ? undefined : given;
  if (Object.keys(given).length > 0) throw new UsageError("--grids and --anchor-... are two ways to say the anchors; use one.");
  return { grids, ...defined({ zooms, ratios }) };
}

function estimateText({ steps, seconds, memoryMb, diskMb }: FitEstimate): string {
  return list([
    ["steps", steps],
    ["time", `${Math.ceil(seconds)} s`],
    ["memory", `${Math.ceil(memoryMb)} MiB`],
    ["disk, at most", `${Math.ceil(diskMb)} MiB`],
  ]);
}

function resultText({ epochs, best, lr, lrFindSeconds, seconds }: FitResult, model: string): string {
  const found = lrFindSeconds === null ? "" : ` (found in ${Math.round(lrFindSeconds)} s)`;
  const names = Object.keys(epochs[0]?.metrics ?? {});
  return [
    table(
      ["epoch", "train loss", "valid loss", ...names, "seconds"],
      epochs.map((record) => [
        record.epoch,
        record.trainLoss,
        record.validLoss,
        ...names.map((name) => record.metrics[name] ?? null),
        record.seconds,
      ]),
    ),
    `${model}: weights of epoch ${best ?? "-"}, learning rate ${Number(lr.toPrecision(3))}${found}, ${Math.round(seconds)} s in all`,
  ].join("\n\n");
}

/** The options that were given. */
function defined<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

function backboneName(text: string): BackboneName {
  const name = backboneNamed(text);
  if (name === null) throw new InvalidArgumentError(`expected ${backboneNames().join(", ")}, got "${text}".`);
  return name;
}

function scheduleName(text: string): "oneCycle" | "constant" | "cosine" {
  if (text === "one-cycle") return "oneCycle";
  if (text === "constant" || text === "cosine") return text;
  throw new InvalidArgumentError(`expected one-cycle, constant or cosine, got "${text}".`);
}

function lossName(text: string): NonNullable<Options["loss"]> {
  if (text === "cross-entropy") return "crossEntropy";
  if (text === "binary-cross-entropy") return "binaryCrossEntropy";
  if (text === "focal" || text === "dice" || text === "mix") return text;
  throw new InvalidArgumentError(`expected cross-entropy, focal, dice, mix or binary-cross-entropy, got "${text}".`);
}

function classWeights(text: string): "balanced" | number[] {
  return text === "balanced" ? "balanced" : numbers(text);
}

function augmentation(text: string): Augmentation | boolean {
  if (text === "none") return false;
  if (text === "flips") return true;
  return Object.fromEntries(
    Object.entries(mapping(text)).map(([key, value]) => {
      if (!["flips", "quarterTurns", "rotate", "zoom", "brightness", "contrast", "noise"].includes(key)) {
        throw new InvalidArgumentError(
          `"${key}" is no augmentation; there are flips, quarterTurns, rotate, zoom, brightness, contrast and noise.`,
        );
      }
      return [key, value === "true" || value === "false" ? value === "true" : number(value)];
    }),
  );
}
