/** What of a run TensorBoard shows: figures of each step, figures and a picture of each epoch, and the settings. */

import { GeoLearnError, type OnWarning, type RgbaImage, encodePng } from "@geolearn/core";

import type { EpochRecord } from "../learner/records.ts";
import type { StepReport } from "../learner/options.ts";
import { EventFile } from "./event-file.ts";
import { type SummaryValue, imageValue, restartEvent, scalarValue, summaryEvent, textValue } from "./events.ts";

/** Steps are counted over all calls of `fit`, so that a second call goes on where the first ended. */
export class RunLog {
  readonly #file: EventFile;
  readonly #batches: number;
  readonly #onWarning: OnWarning;
  #failed = false;

  private constructor(file: EventFile, batches: number, onWarning: OnWarning) {
    this.#file = file;
    this.#batches = batches;
    this.#onWarning = onWarning;
  }

  /**
   * Begins a log in the folder. What fails later only ends the log, with a warning.
   *
   * @param batches - steps of an epoch
   * @throws WRITE_FAILED
   */
  static async open(folder: string, batches: number, onWarning: OnWarning): Promise<RunLog> {
    return new RunLog(await EventFile.create(folder), batches, onWarning);
  }

  /** The run begins or goes on after so many whole epochs and batches; steps of a former run from there on are taken back. */
  async begin(epochs: number, batches: number, settings: Readonly<Record<string, unknown>>): Promise<void> {
    const step = epochs * this.#batches + batches;
    await this.#attempt(async () => {
      await this.#file.write(restartEvent(now(), step + 1));
      await this.#file.write(summaryEvent(now(), step + 1, [textValue("settings", settingsTable(settings))]));
    });
  }

  /** After each step. */
  async step({ epoch, batch, loss, lr, gradientNorm }: StepReport): Promise<void> {
    const values = { "step/loss": loss, "step/lr": lr, "step/gradientNorm": gradientNorm };
    await this.#write(this.#stepOf(epoch - 1, batch), scalars(values));
  }

  /** After each epoch, at its last step. */
  async epoch({ epoch, trainLoss, validLoss, metrics, seconds }: EpochRecord, picture: RgbaImage | null): Promise<void> {
    const values: Record<string, number | null> = { "epoch/trainLoss": trainLoss, "epoch/validLoss": validLoss, "epoch/seconds": seconds };
    // "iou building" is "epoch/iou/building": one group of curves for the classes
    for (const [name, value] of Object.entries(metrics)) values[`epoch/${name.replace(/^(iou|f1) /, "$1/")}`] = value;
    const image =
      picture === null ? [] : [imageValue("results", { png: encodePng(picture), width: picture.width, height: picture.height })];
    await this.#write(this.#stepOf(epoch, 0), [...scalars(values), ...image]);
    await this.#attempt(() => this.#file.flush());
  }

  async close(): Promise<void> {
    await this.#file.close().catch(() => undefined);
  }

  #stepOf(epochs: number, batches: number): number {
    return epochs * this.#batches + batches;
  }

  async #write(step: number, values: readonly SummaryValue[]): Promise<void> {
    await this.#attempt(() => this.#file.write(summaryEvent(now(), step, values)));
  }

  /** Training is worth more than its log. */
  async #attempt(work: () => Promise<void>): Promise<void> {
    if (this.#failed) return;
    try {
      await work();
    } catch (error) {
      if (GeoLearnError.is(error)) throw error;
      this.#failed = true;
      this.#onWarning({
        code: "TENSORBOARD_STOPPED",
        message: `${this.#file.path} cannot be written any more: ${error instanceof Error ? error.message : String(error)}. Training goes on without it.`,
        hint: "Free some space on the disk.",
      });
    }
  }
}

function now(): number {
  return Date.now() / 1000;
}

/** Figures that have a value. */
function scalars(values: Readonly<Record<string, number | null>>): SummaryValue[] {
  return Object.entries(values).flatMap(([tag, value]) => (value === null ? [] : [scalarValue(tag, value)]));
}

function settingsTable(settings: Readonly<Record<string, unknown>>): string {
  const cell = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value)).replaceAll("|", "\\|");
  return ["| setting | value |", "| --- | --- |", ...Object.entries(settings).map(([name, value]) => `| ${name} | ${cell(value)} |`)].join(
    "\n",
  );
}
