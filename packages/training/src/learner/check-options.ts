/** What `createLearner`, `fit`, `estimate` and `lrFind` are told is looked at before anything is made, trained or replaced. */

import { GeoLearnError, showValue } from "@geolearn/core";

import type { LearnerCore } from "./core.ts";
import { checks, checkWork, isAboveZero, isBoolean, isFromZero, isFunction, isObject, isText, isWhole, oneOf } from "./check-value.ts";
import { checkFitNames, checkLearnerNames, checkLrFindNames } from "./option-names.ts";
import type { FitOptions, LearnerOptions, LrFindOptions, Monitor, OptimizationOptions } from "./options.ts";

/** @throws INVALID_ARGUMENT that shows the value and says what was expected */
export function checkFitOptions(core: LearnerCore, options: FitOptions): void {
  checkFitNames(options);
  const check = checks("fit");
  const { epochs, lr, schedule, earlyStopping, checkpointEvery, checkpoint, tensorboard, resume } = options;
  check("epochs", epochs, isWhole, "a whole number from 1");
  check("lr", lr, (value) => value === "auto" || isAboveZero(value), 'a number above 0, or "auto"');
  check("schedule", schedule, oneOf("oneCycle", "constant", "cosine"), '"oneCycle", "constant" or "cosine"');
  checkOptimization("fit", options);
  check("earlyStopping", earlyStopping, (value) => isBoolean(value) || isObject(value), "true, false, or its settings");
  if (isObject(earlyStopping)) {
    check("earlyStopping.patience", earlyStopping.patience, isWhole, "a whole number from 1");
    check("earlyStopping.minDelta", earlyStopping.minDelta, isFromZero, "a number from 0");
  }
  for (const field of ["cycleMomentum", "restoreBest", "resume"] as const) check(field, options[field], isBoolean, "true or false");
  check("checkpointEvery", checkpointEvery, isWhole, "a whole number from 1");
  check("checkpoint", checkpoint, isText, "the path of a folder");
  check("tensorboard", tensorboard, isText, "the path of a folder");
  check("callbacks", options.callbacks, isCallbacks, "a list of objects with `onStep`, `onEpochEnd` or both");
  checkWork("fit", options);
  checkMonitor(core, options.monitor);
  if (resume === true && checkpoint === undefined) {
    throw new GeoLearnError("INVALID_ARGUMENT", "fit was asked to resume without a checkpoint folder.", {
      hint: "Give `checkpoint`, the folder of the run.",
    });
  }
}

/** @throws INVALID_ARGUMENT that shows the value and says what was expected */
export function checkLrFindOptions(options: LrFindOptions): void {
  checkLrFindNames(options);
  checkOptimization("lrFind", options);
  const { from = 1e-6, to = 1 } = options;
  const check = checks("lrFind");
  check("from", from, isAboveZero, "a number above 0");
  check("to", to, (value) => isAboveZero(value) && value > from, `a number above ${from}, the first rate`);
  check("steps", options.steps, (value) => isWhole(value) && value >= 10, "a whole number from 10");
  checkWork("lrFind", options);
}

/**
 * What does not depend on the data; settings of networks are looked at where these are made.
 *
 * @throws INVALID_ARGUMENT that shows the value and says what was expected
 */
export function checkLearnerOptions(options: LearnerOptions): void {
  checkLearnerNames(options);
  const check = checks("createLearner");
  for (const field of ["modelType", "weights", "sha256", "name"] as const) check(field, options[field], isText, "text");
  check("pretrained", options.pretrained, (value) => isText(value) || isObject(value), "a model package, or its path");
  const { normalization, loss, classWeights, ignoreClasses } = options;
  const isNormalization = (value: unknown): boolean => isObject(value) || value === "data" || value === "imagenet";
  check("normalization", normalization, isNormalization, '"data", "imagenet", or `mean` and `std` of each band');
  check("loss", loss, (value) => isText(value) || isObject(value), "the name of a loss, or its settings");
  const isWeights = (value: unknown): boolean => value === "balanced" || (Array.isArray(value) && value.every(isFromZero));
  check("classWeights", classWeights, isWeights, '"balanced", or a number from 0 for each class');
  check("ignoreClasses", ignoreClasses, Array.isArray, "a list of classes");
  check("config", options.config, isObject, "the settings of a network of your own");
  check("freeze", options.freeze, isBoolean, "true or false");
  check("seed", options.seed, (value) => Number.isSafeInteger(value) && isFromZero(value), "a whole number from 0");
  check("log", options.log, isFunction, "a function");
  checkWork("createLearner", options);
}

const isCallbacks = (value: unknown): boolean => Array.isArray(value) && value.every(isCallback);

/** A misspelt method would never be called; an object may have others of its own. */
function isCallback(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { onStep, onEpochEnd } = value as Record<string, unknown>;
  return [onStep, onEpochEnd].some(isFunction) && [onStep, onEpochEnd].every((own) => own === undefined || isFunction(own));
}

function checkOptimization(verb: string, { optimizer, weightDecay, momentum, clipNorm }: OptimizationOptions): void {
  const check = checks(verb);
  check("optimizer", optimizer, oneOf("adamw", "adam", "sgd"), '"adamw", "adam" or "sgd"');
  check("weightDecay", weightDecay, isFromZero, "a number from 0");
  check("momentum", momentum, (value) => isFromZero(value) && value < 1, "a number from 0 to less than 1");
  check("clipNorm", clipNorm, isAboveZero, "a number above 0");
}

function checkMonitor({ data, task }: LearnerCore, monitor: Monitor | undefined): void {
  const known: Monitor[] = ["trainLoss"];
  if (data.valid.count > 0) known.push("validLoss", ...task.monitors);
  if (monitor === undefined || known.includes(monitor)) return;
  throw new GeoLearnError("INVALID_ARGUMENT", `fit cannot monitor ${showValue(monitor)}.`, {
    hint: `Choose one of ${known.join(", ")}${data.valid.count > 0 ? "" : "; there are no validation chips"}.`,
  });
}
