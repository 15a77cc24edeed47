/**
 * Learning rates over the steps of a training run. A rate is a function of the step alone, so that a resumed run needs
 * nothing but the step number to go on.
 */

import { GeoLearnError } from "@geolearn/core";

/** How the learning rate runs over the steps of a `fit`. */
export type ScheduleName = "oneCycle" | "constant" | "cosine";

/** Learning rate and first-moment decay of one step. */
export interface StepRates {
  readonly lr: number;
  /** First-moment decay of Adam (or the momentum of SGD) for this step; null where the schedule leaves it alone. */
  readonly beta1: number | null;
}

/** Rates of step 0 to `total - 1`. */
export type Schedule = (step: number) => StepRates;

/** Options of {@link createSchedule}. */
export interface ScheduleOptions {
  /** Steps in all. */
  readonly total: number;
  /** Highest learning rate. */
  readonly lr: number;
  /** One cycle: share of the steps that warm up. @defaultValue 0.3 */
  readonly warmUp?: number;
  /** One cycle: the first rate is `lr / div`. @defaultValue 25 */
  readonly div?: number;
  /** One cycle: the last rate is `lr / div / finalDiv`. @defaultValue 10000 */
  readonly finalDiv?: number;
  /** One cycle: the first-moment decay runs from 0.95 down to 0.85 and back. @defaultValue true */
  readonly cycleMomentum?: boolean;
}

/**
 * A schedule by name.
 *
 * - `oneCycle`: cosine warm-up from `lr / 25` over the first 30 % of the steps, then a cosine to almost zero, while the
 *   first-moment decay goes the other way (Smith and Topin 2018); step for step the `OneCycleLR` of PyTorch.
 * - `cosine`: from `lr` to zero along half a cosine (Loshchilov and Hutter 2017).
 * - `constant`: `lr` throughout.
 *
 * @throws INVALID_ARGUMENT for a rate or a number of steps that is not positive.
 */
export function createSchedule(name: ScheduleName, options: ScheduleOptions): Schedule {
  const { total, lr } = options;
  if (!(lr > 0) || !Number.isFinite(lr)) {
    throw new GeoLearnError("INVALID_ARGUMENT", `The learning rate is ${lr}; it must be a positive number.`, {
      hint: 'Give a rate such as `lr: 1e-3`, or `lr: "auto"`.',
    });
  }
  if (!Number.isInteger(total) || total < 1) {
    throw new GeoLearnError("INVALID_ARGUMENT", `A schedule over ${total} steps was asked for; at least 1 is needed.`, {
      hint: "Train at least one epoch with at least one full batch.",
    });
  }
  if (name === "constant") return () => ({ lr, beta1: null });
  if (name === "cosine") return (step) => ({ lr: (lr / 2) * (1 + Math.cos((Math.PI * step) / total)), beta1: null });
  if (name === "oneCycle") return oneCycle(options);
  throw new GeoLearnError("INVALID_ARGUMENT", `There is no schedule "${String(name)}".`, {
    hint: 'Use `schedule: "oneCycle"`, `schedule: "cosine"` or `schedule: "constant"`.',
  });
}

function oneCycle({ total, lr, warmUp = 0.3, div = 25, finalDiv = 1e4, cycleMomentum = true }: ScheduleOptions): Schedule {
  const first = lr / div;
  const last = first / finalDiv;
  const peak = warmUp * total - 1;
  return (step) => {
    const rising = step <= peak;
    const share = rising ? portion(step, 0, peak) : portion(step, peak, total - 1);
    return {
      lr: rising ? cosineBetween(first, lr, share) : cosineBetween(lr, last, share),
      beta1: cycleMomentum ? (rising ? cosineBetween(0.95, 0.85, share) : cosineBetween(0.85, 0.95, share)) : null,
    };
  };
}

function portion(step: number, from: number, to: number): number {
  return to > from ? (step - from) / (to - from) : 1;
}

function cosineBetween(from: number, to: number, share: number): number {
  return to + ((from - to) / 2) * (1 + Math.cos(Math.PI * share));
}
