/** What the options of a Learner and its methods may be. */

import { type NetworkPolicy, type OptionRule, type OptionRules, rules } from "@geolearn/core";

import { ARCHITECTURE } from "./architecture-options.ts";
import type { EarlyStopping, FitOptions, LearnerOptions, LrFindOptions, OptimizationOptions } from "./options.ts";

/** Settings of networks are looked at where these are made. */
const SETTINGS = Object.fromEntries(ARCHITECTURE.map((field) => [field, rules.any])) as Record<(typeof ARCHITECTURE)[number], OptionRule>;

/** What does not depend on the data. */
export const LEARNER_RULES: OptionRules<LearnerOptions> = {
  modelType: rules.text,
  model: { ...rules.object, expected: "what defineModel gave back" },
  config: { ...rules.object, expected: "the settings of a network of your own" },
  weights: rules.text,
  sha256: rules.text,
  network: { ...rules.object, expected: "a policy" },
  normalization: rules.either(rules.oneOf("data", "imagenet"), { ...rules.object, expected: "or `mean` and `std` of each band" }),
  pretrained: rules.either({ ...rules.object, expected: "a model package" }, { ...rules.path, expected: "or its path" }),
  ...SETTINGS,
  loss: rules.either({ ...rules.text, expected: "the name of a loss" }, { ...rules.object, expected: "or its settings" }),
  classWeights: rules.either(rules.oneOf("balanced"), rules.listOf("numbers from 0, one for each class", rules.number(0))),
  ignoreClasses: rules.listOf("classes, by name or value", rules.either(rules.text, rules.number(0))),
  freeze: rules.boolean,
  seed: rules.whole(0),
  // Known to the engine.
  device: rules.any,
  threads: rules.whole(),
  name: rules.text,
  log: rules.callback,
  ...rules.work,
};

/** What hosts and headers may be is known where addresses are. */
export const NETWORK_POLICY_RULES: OptionRules<NetworkPolicy> = {
  hosts: rules.any,
  allowPrivate: rules.boolean,
  timeout: rules.aboveZero,
  retries: rules.whole(0),
  maxRedirects: rules.whole(0),
  headers: rules.object,
};

const OPTIMIZATION: OptionRules<OptimizationOptions> = {
  optimizer: rules.oneOf("adamw", "adam", "sgd"),
  weightDecay: rules.number(0),
  momentum: { expected: "a number from 0 to less than 1", accepts: (value) => rules.share.accepts(value) && value !== 1 },
  clipNorm: rules.aboveZero,
};

const FOLDER: OptionRule = { ...rules.path, expected: "the path of a folder" };
const MAYBE_CALLBACK: OptionRule = { ...rules.callback, accepts: (value) => value === undefined || rules.callback.accepts(value) };
/** A misspelt method would never be called; an object may have others of its own. */
const CALLBACK = rules.fields("onStep, onEpochEnd", { onStep: MAYBE_CALLBACK, onEpochEnd: MAYBE_CALLBACK });
const CALLBACKS = rules.listOf("objects with `onStep`, `onEpochEnd` or both", {
  accepts: (value) =>
    CALLBACK.accepts(value) && ["onStep", "onEpochEnd"].some((method) => (value as Record<string, unknown>)[method] !== undefined),
});

export const FIT_RULES: OptionRules<FitOptions> = {
  epochs: rules.whole(),
  lr: rules.either(rules.aboveZero, { ...rules.oneOf("auto"), expected: 'or "auto"' }),
  schedule: rules.oneOf("oneCycle", "constant", "cosine"),
  cycleMomentum: rules.boolean,
  // Known to the task.
  monitor: rules.any,
  earlyStopping: rules.either(rules.boolean, { ...rules.object, expected: "or its settings" }),
  restoreBest: rules.boolean,
  checkpoint: FOLDER,
  checkpointEvery: rules.whole(),
  resume: rules.boolean,
  callbacks: CALLBACKS,
  tensorboard: FOLDER,
  ...OPTIMIZATION,
  ...rules.work,
};

export const EARLY_STOPPING_RULES: OptionRules<EarlyStopping> = { patience: rules.whole(), minDelta: rules.number(0) };

export const LR_FIND_RULES: OptionRules<LrFindOptions> = {
  from: rules.aboveZero,
  to: rules.aboveZero,
  steps: rules.whole(10),
  ...OPTIMIZATION,
  ...rules.work,
};
