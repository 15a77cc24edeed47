/** How fast a run is and how long it will take. */

/** Counts steps, epochs and seconds of a run. */
export class FitClock {
  private started = 0;
  private trainingSeconds = 0;
  private validationSeconds = 0;
  private validations = 0;
  private epochStarted = 0;
  private stepStarted = 0;
  private steps = 0;

  constructor(
    private readonly epochs: number,
    private readonly stepsPerEpoch: number,
    private readonly validationBatches: number,
    private readonly batchSize: number,
  ) {}

  /** The run begins, or goes on after a resume. */
  start(): void {
    this.started = performance.now();
  }

  beginEpoch(): void {
    this.epochStarted = performance.now();
    this.stepStarted = this.epochStarted;
  }

  stepDone(): void {
    const now = performance.now();
    this.trainingSeconds += (now - this.stepStarted) / 1000;
    this.stepStarted = now;
    this.steps++;
  }

  /** Seconds of the epoch, validation included. */
  endEpoch(): number {
    const now = performance.now();
    this.validationSeconds += (now - this.stepStarted) / 1000;
    this.validations++;
    return (now - this.epochStarted) / 1000;
  }

  get seconds(): number {
    return (performance.now() - this.started) / 1000;
  }

  /** Where the run is; speeds are null until there is something to measure. Time left counts the validations to come. */
  progress(step: number, ended: boolean): { done: number; total: number; imagesPerSecond: number | null; secondsLeft: number | null } {
    const total = this.epochs * this.stepsPerEpoch;
    if (ended) return { done: total, total, imagesPerSecond: this.rate(), secondsLeft: 0 };
    if (this.steps === 0) return { done: step, total, imagesPerSecond: null, secondsLeft: null };
    const perStep = this.trainingSeconds / this.steps;
    // A validation batch costs about a third of a training step until one has been measured.
    const perValidation = this.validations > 0 ? this.validationSeconds / this.validations : (this.validationBatches * perStep) / 3;
    const validationsLeft = Math.ceil((total - step) / this.stepsPerEpoch);
    return { done: step, total, imagesPerSecond: this.rate(), secondsLeft: (total - step) * perStep + validationsLeft * perValidation };
  }

  private rate(): number | null {
    return this.trainingSeconds > 0 ? (this.steps * this.batchSize) / this.trainingSeconds : null;
  }
}
