/** Names of the options of a Learner and its methods. */

import { checkOptionNames, type NetworkPolicy, type OptionNames, WORK_OPTIONS } from "@geolearn/core";

import type { EarlyStopping, FitOptions, LearnerOptions, LrFindOptions, OptimizationOptions } from "./options.ts";

const LEARNER_OPTIONS: OptionNames<LearnerOptions> = {
  modelType: true,
  model: true,
  config: true,
  backbone: true,
  convention: true,
  weights: true,
  sha256: true,
  network: true,
  normalization: true,
  pretrained: true,
  base: true,
  depth: true,
  widths: true,
  decoderWidths: true,
  decoderWidth: true,
  outputStride: true,
  atrousRates: true,
  pyramidSizes: true,
  dropout: true,
  fusion: true,
  skips: true,
  margin: true,
  norm: true,
  groups: true,
  anchors: true,
  variant: true,
  maps: true,
  reducedTail: true,
  objectSizes: true,
  fpnWidth: true,
  headDepth: true,
  preset: true,
  boxHeadWidth: true,
  maskHeadWidth: true,
  maskHeadDepth: true,
  candidates: true,
  proposals: true,
  rpnSamples: true,
  rois: true,
  detections: true,
  thresholds: true,
  loss: true,
  classWeights: true,
  ignoreClasses: true,
  freeze: true,
  seed: true,
  device: true,
  threads: true,
  name: true,
  log: true,
  ...WORK_OPTIONS,
};

const NETWORK_POLICY: OptionNames<NetworkPolicy> = {
  hosts: true,
  allowPrivate: true,
  timeout: true,
  retries: true,
  maxRedirects: true,
  headers: true,
};

const OPTIMIZATION: OptionNames<OptimizationOptions> = { optimizer: true, weightDecay: true, momentum: true, clipNorm: true };

const FIT_OPTIONS: OptionNames<FitOptions> = {
  epochs: true,
  lr: true,
  schedule: true,
  cycleMomentum: true,
  monitor: true,
  earlyStopping: true,
  restoreBest: true,
  checkpoint: true,
  checkpointEvery: true,
  resume: true,
  callbacks: true,
  tensorboard: true,
  ...OPTIMIZATION,
  ...WORK_OPTIONS,
};

const EARLY_STOPPING: OptionNames<EarlyStopping> = { patience: true, minDelta: true };

const LR_FIND_OPTIONS: OptionNames<LrFindOptions> = {
  from: true,
  to: true,
  steps: true,
  ...OPTIMIZATION,
  ...WORK_OPTIONS,
};

/** Refuses options that `fit` does not have. @throws INVALID_ARGUMENT */
export function checkFitNames(options: FitOptions): void {
  checkOptionNames(options, FIT_OPTIONS, "fit()");
  const { earlyStopping } = options;
  if (typeof earlyStopping === "object") checkOptionNames(earlyStopping, EARLY_STOPPING, "`earlyStopping`");
}

/** Refuses options that `lrFind` does not have. @throws INVALID_ARGUMENT */
export function checkLrFindNames(options: LrFindOptions): void {
  checkOptionNames(options, LR_FIND_OPTIONS, "lrFind()");
}

/** Refuses options that a Learner does not have. @throws INVALID_ARGUMENT */
export function checkLearnerNames(options: LearnerOptions): void {
  checkOptionNames(options, LEARNER_OPTIONS, "createLearner()");
  if (options.network !== undefined) checkOptionNames(options.network, NETWORK_POLICY, "`network`");
}
