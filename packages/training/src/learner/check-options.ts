/** What `createLearner`, `fit`, `estimate` and `lrFind` are told is looked at before anything is made, trained or replaced. */

import { checkOptions, GeoLearnError, showValue, wrongOption } from "@geolearn/core";

import type { LearnerCore } from "./core.ts";
import { EARLY_STOPPING_RULES, FIT_RULES, LEARNER_RULES, LR_FIND_RULES, NETWORK_POLICY_RULES } from "./option-rules.ts";
import type { FitOptions, LearnerOptions, LrFindOptions, Monitor } from "./options.ts";

/** @throws INVALID_ARGUMENT that shows the value and says what was expected */
export function checkFitOptions(core: LearnerCore, options: FitOptions): void {
  checkOptions(options, FIT_RULES, "fit()");
  const { earlyStopping, resume, checkpoint } = options;
  if (typeof earlyStopping === "object") checkOptions(earlyStopping, EARLY_STOPPING_RULES, "`earlyStopping`");
  checkMonitor(core, options.monitor);
  if (resume === true && checkpoint === undefined) {
    throw new GeoLearnError("INVALID_ARGUMENT", "fit was asked to resume without a checkpoint folder.", {
      hint: "Give `checkpoint`, the folder of the run.",
    });
  }
}

/** @throws INVALID_ARGUMENT that shows the value and says what was expected */
export function checkLrFindOptions(options: LrFindOptions): void {
  checkOptions(options, LR_FIND_RULES, "lrFind()");
  const { from = 1e-6, to = 1 } = options;
  if (to <= from) throw wrongOption("lrFind()", "to", to, { expected: `a number above ${from}, the first rate` });
}

/**
 * What does not depend on the data; settings of networks are looked at where these are made.
 *
 * @throws INVALID_ARGUMENT that shows the value and says what was expected
 */
export function checkLearnerOptions(options: LearnerOptions): void {
  checkOptions(options, LEARNER_RULES, "createLearner()");
  if (options.network !== undefined) checkOptions(options.network, NETWORK_POLICY_RULES, "`network`");
}

function checkMonitor({ data, task }: LearnerCore, monitor: Monitor | undefined): void {
  const known: Monitor[] = ["trainLoss"];
  if (data.valid.count > 0) known.push("validLoss", ...task.monitors);
  if (monitor === undefined || known.includes(monitor)) return;
  throw new GeoLearnError("INVALID_ARGUMENT", `fit cannot monitor ${showValue(monitor)}.`, {
    hint: `Choose one of ${known.join(", ")}${data.valid.count > 0 ? "" : "; there are no validation chips"}.`,
  });
}
