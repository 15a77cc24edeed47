/** How long work tells how far it is, and where warnings go. Libraries of geolearn never write to the console. */

/** One report of long work. */
export interface Progress {
  /** What is being done, e.g. `"classify-pixels"`. */
  readonly stage: string;
  /** Units finished, 0 to `total`. */
  readonly done: number;
  /** Units in all; 0 where nobody knows. */
  readonly total: number;
  /** Name of the unit, plural, e.g. `"windows"`. */
  readonly unit: string;
  /** Figures worth showing, e.g. loss or images per second. */
  readonly values?: Readonly<Record<string, number>>;
}

/** Receives {@link Progress}; called at least at the start and the end of the work. */
export type OnProgress = (progress: Progress) => void;

/** Receives warnings: something is odd but the result is still defined. */
export type OnWarning = (warning: Warning) => void;

/** A warning with a stable code, so that programs can tell them apart. */
export interface Warning {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

/** Options every long operation takes. */
export interface WorkOptions {
  /** Cancels the work; the promise rejects with the signal's reason and nothing is left behind. */
  readonly signal?: AbortSignal;
  /** Called as the work goes on. */
  readonly onProgress?: OnProgress;
  /** Called for each warning. */
  readonly onWarning?: OnWarning;
}
