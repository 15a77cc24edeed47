/** What `fit`, `estimate` and `lrFind` are told is looked at before anything is made, trained or replaced. */

import { GeoLearnError, showValue } from "@geolearn/core";

import type { LearnerCore } from "./core.ts";
import { checkFitNames } from "./option-names.ts";
import type { FitOptions, LrFindOptions, Monitor, OptimizationOptions } from "./options.ts";

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
  check("checkpoint", checkpoint, isName, "the path of a folder");
  check("tensorboard", tensorboard, isName, "the path of a folder");
  checkMonitor(core, options.monitor);
  if (resume === true && checkpoint === undefined) {
    throw new GeoLearnError("INVALID_ARGUMENT", "fit was asked to resume without a checkpoint folder.", {
      hint: "Give `checkpoint`, the folder of the run.",
    });
  }
}

/** @throws INVALID_ARGUMENT that shows the value and says what was expected */
export function checkLrFindOptions(options: LrFindOptions): void {
  checkOptimization("lrFind", options);
  const { from = 1e-6, to = 1 } = options;
  const check = checks("lrFind");
  check("from", from, isAboveZero, "a number above 0");
  check("to", to, (value) => isAboveZero(value) && value > from, `a number above ${from}, the first rate`);
  check("steps", options.steps, (value) => isWhole(value) && value >= 10, "a whole number from 10");
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

type Check = (field: string, value: unknown, sound: (value: unknown) => boolean, expected: string) => void;

/** A check of options that were given. */
function checks(verb: string): Check {
  return (field, value, sound, expected) => {
    if (value === undefined || sound(value)) return;
    throw new GeoLearnError("INVALID_ARGUMENT", `${verb} got ${field} ${showValue(value)}, expected ${expected}.`, {
      hint: `Change \`${field}\`, or leave it out.`,
      data: { field, value },
    });
  };
}

const isBoolean = (value: unknown): value is boolean => typeof value === "boolean";
const isObject = <T>(value: T): value is Extract<T, object> => typeof value === "object" && value !== null;
const isName = (value: unknown): boolean => typeof value === "string" && value !== "";
const isWhole = (value: unknown): value is number => Number.isInteger(value) && (value as number) >= 1;
const isFromZero = (value: unknown): value is number => Number.isFinite(value) && (value as number) >= 0;
const isAboveZero = (value: unknown): value is number => isFromZero(value) && value > 0;
const oneOf =
  (...known: readonly string[]) =>
  (value: unknown): boolean =>
    typeof value === "string" && known.includes(value);
