/** The Learner: fit, learning rates, checkpoints, evaluation, figures and reports. Knows data and networks, nothing of scenes. */

// the learner
export { createLearner, type EvaluationOf, type LearnerOf, type Learners, type TrainableTask } from "./learner/create-learner.ts";
export { Learner, type ShowResultsOptions } from "./learner/learner.ts";
export { type PerClassOptions, PixelLearner } from "./tasks/pixels/pixel-learner.ts";
export { type CompareObjects, ObjectLearner } from "./tasks/objects/object-learner.ts";
export { TileLearner } from "./tasks/tiles/tile-learner.ts";
export type { TileEvaluation, TilePrediction } from "./tasks/tiles/evaluate.ts";
export type { ObjectEvaluation, ObjectMetrics } from "./tasks/objects/evaluate.ts";
export type {
  EarlyStopping,
  FitCallback,
  FitOptions,
  FitResult,
  LearnerOptions,
  LrFindOptions,
  MaskMonitor,
  Monitor,
  ObjectMonitor,
  OptimizationOptions,
  PixelMonitor,
  StepReport,
  TileMonitor,
} from "./learner/options.ts";
export type { EpochRecord } from "./learner/records.ts";
export type { FitEstimate } from "./learner/estimate.ts";
export type { TaskEvaluation } from "./tasks/task.ts";
export type { ChipPrediction, PixelEvaluation } from "./tasks/pixels/evaluate.ts";
export { type EvaluatePackageOptions, evaluatePackage } from "./learner/evaluate-package.ts";
export type { LrFindResult } from "./learner/lr-find.ts";

// learning rates
export { createSchedule, type Schedule, type ScheduleName, type ScheduleOptions, type StepRates } from "./schedule/schedules.ts";
export { type LrPoint, suggestLr } from "./schedule/suggest-lr.ts";

// figures
export type { ResultsFigureOptions } from "./tasks/task.ts";

// the conformance suite for networks of one's own
export { type DescribeModelOptions, type TestFunctions, describeModel } from "./conformance/describe-model.ts";
