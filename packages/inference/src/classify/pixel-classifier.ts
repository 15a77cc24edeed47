/** A trained network as an inference function. */

import { ComputeLanes } from "#compute-lanes";
import { checksum, cores, defaultDevice } from "#platform";
import { GeoLearnError, type SampleType, type Warning } from "@geolearn/core";
import type { Device } from "@geolearn/engine";
import { type ModelPackage, readModelPackage } from "@geolearn/models";

import type { InferenceConfiguration, InferenceFunction, ParameterInfo, PixelBlock, SceneInfo } from "../inference-function.ts";
import type { LaneSetup } from "./lane-messages.ts";
import { laneModel } from "./lane-model.ts";
import { modelBands } from "./model-bands.ts";

/** Options of {@link pixelClassifier}. */
export interface PixelClassifierOptions {
  /** @defaultValue "cpu", in a browser the device of the running engine */
  readonly device?: Device;
  /** Threads of one operation. @defaultValue the cores divided by `workers` */
  readonly threads?: number;
  /** Threads that each hold the network and compute whole blocks. @defaultValue the cores, at most 4, on the CPU; else 1 */
  readonly workers?: number;
  /** Blocks per call. @defaultValue 4 on the CPU, else 16 */
  readonly batchSize?: number;
}

/**
 * Workers at most when nobody says: each holds the network and its working memory. Blocks in parallel use cores better than the
 * threads of one operation do, above all on a machine that has other work.
 */
const MOST_WORKERS = 4;
/** Pixels per run of the network on devices other than the CPU, where large batches pay. */
const DEVICE_PIXELS = 8 * 256 * 256;

/**
 * A model package, or the path of one, as an inference function: softmax scores, a band per class. The network runs on
 * threads of its own with the weights written into its graph; it is loaded when the function is configured first.
 *
 * On the CPU a run of the network always has one block, so results do not depend on batch size, workers or threads.
 *
 * @example
 * const fn = pixelClassifier("buildings.dlpk", { device: "cpu" });
 * const map = await runInference(fn, "scene.tif");
 * await fn.dispose();
 */
export function pixelClassifier(model: ModelPackage | string, options: PixelClassifierOptions = {}): InferenceFunction {
  return new PixelClassifier(model, options);
}

class PixelClassifier implements InferenceFunction {
  readonly #model: ModelPackage | string;
  readonly #options: PixelClassifierOptions;
  readonly #device: Device;
  readonly #workers: number;
  #loaded: ModelPackage | null = null;
  #fingerprint: string | undefined;
  #lanes: ComputeLanes | null = null;
  #starting: Promise<ComputeLanes> | null = null;

  constructor(model: ModelPackage | string, options: PixelClassifierOptions) {
    this.#model = model;
    this.#options = options;
    this.#device = options.device ?? defaultDevice();
    this.#workers = checkCount("workers", options.workers ?? defaultWorkers(this.#device));
    if (options.threads !== undefined) checkCount("threads", options.threads);
  }

  get name(): string {
    return typeof this.#model === "string" ? this.#model : this.#model.manifest.name;
  }

  get fingerprint(): string | undefined {
    return this.#fingerprint;
  }

  parameters(): readonly ParameterInfo[] {
    return [];
  }

  async configure(scene: SceneInfo): Promise<InferenceConfiguration> {
    const { manifest } = await this.#load();
    const bands = scene.bandsChosen ? manifest.bandIndices : modelBands(manifest, scene);
    const { stride, margin } = (await this.#startLanes()).frame;
    const { chipWidth, chipHeight, classes, statistics } = manifest;
    return {
      bands,
      tileWidth: chipWidth,
      tileHeight: chipHeight,
      padding: Math.floor((Math.min(chipWidth, chipHeight) - 2 * margin) / 4),
      batchSize: this.#options.batchSize ?? (this.#onCpu ? 4 : 16),
      output: "scores",
      outputBands: classes.length,
      outputType: "float32",
      classes,
      stride,
      margin,
      fill: statistics.length > 0 ? statistics.map(({ mean }) => mean) : centreOf(manifest),
      // Two requests a thread: the next one waits there while one is computed.
      concurrency: 2 * this.#workers,
      resolution: manifest.resolution,
      ...(statistics.length > 0 ? { statistics } : {}),
      bandNames: manifest.bandNames,
      warnings: sampleTypeWarnings(manifest.sampleType, scene.sampleType),
    };
  }

  process(block: PixelBlock, signal?: AbortSignal): Promise<Float32Array> {
    if (this.#lanes === null) {
      return Promise.reject(
        new GeoLearnError("INVALID_ARGUMENT", `The model ${this.name} was not configured.`, { hint: "Call configure() before process()." }),
      );
    }
    return this.#lanes.run(block, signal);
  }

  async dispose(): Promise<void> {
    await this.#starting?.catch(() => {}); // told by configure()
    await this.#lanes?.close();
    this.#lanes = null;
  }

  get #onCpu(): boolean {
    return this.#device === "cpu";
  }

  /** Blocks of every run: one on the CPU, or as many as an ONNX file is fixed to. */
  #computeBatch({ manifest }: ModelPackage): number {
    const fixed = manifest.graph?.batch ?? null;
    if (fixed !== null || this.#onCpu) return fixed ?? 1;
    return Math.max(1, Math.min(32, Math.floor(DEVICE_PIXELS / (manifest.chipWidth * manifest.chipHeight))));
  }

  async #load(): Promise<ModelPackage> {
    this.#loaded ??= typeof this.#model === "string" ? await readModelPackage(this.#model) : this.#model;
    const { manifest } = this.#loaded;
    if (manifest.task !== "pixelClassification") {
      throw new GeoLearnError(
        "TASK_MISMATCH",
        `The model ${this.name} was trained for ${manifest.task}; classifying pixels needs a model of pixelClassification.`,
        {
          hint: "Use the function of that task, or another model.",
        },
      );
    }
    return this.#loaded;
  }

  /** Starts the threads, also again after a cancelled run has ended them. */
  async #startLanes(): Promise<ComputeLanes> {
    if (this.#lanes !== null && !this.#lanes.closed) return this.#lanes;
    this.#starting ??= this.#newLanes();
    try {
      this.#lanes = await this.#starting;
      return this.#lanes;
    } finally {
      this.#starting = null;
    }
  }

  async #newLanes(): Promise<ComputeLanes> {
    const loaded = await this.#load();
    const { manifest } = loaded;
    const computeBatch = this.#computeBatch(loaded);
    const model = laneModel(loaded, computeBatch);
    this.#fingerprint ??= fingerprintOf(manifest, model.buffer, this.#device);
    const setup: LaneSetup = {
      device: this.#device,
      threads: this.#options.threads ?? Math.max(1, Math.floor(cores() / this.#workers)),
      model,
      tileWidth: manifest.chipWidth,
      tileHeight: manifest.chipHeight,
      bands: manifest.bandIndices.length,
      computeBatch,
    };
    return ComputeLanes.start(setup, this.#workers);
  }
}

function defaultWorkers(device: Device): number {
  return device === "cpu" ? Math.min(MOST_WORKERS, cores()) : 1;
}

function checkCount(name: string, value: number): number {
  if (Number.isInteger(value) && value >= 1) return value;
  throw new GeoLearnError("INVALID_ARGUMENT", `\`${name}\` is ${value}; expected a whole number of at least 1.`);
}

/** Where normalization has its zero: what missing samples become when no statistics are known. */
function centreOf({ graph, bandIndices }: ModelPackage["manifest"]): readonly number[] {
  return graph?.offset ?? bandIndices.map(() => 0);
}

function fingerprintOf(manifest: ModelPackage["manifest"], weights: ArrayBufferLike, device: Device): string | undefined {
  const { modelType, config, graph, classes, bandIndices, statistics, chipWidth, chipHeight } = manifest;
  const described = JSON.stringify({ modelType, config, graph, classes, bandIndices, statistics, chipWidth, chipHeight, device });
  return checksum([described, new Uint8Array(weights)]);
}

function sampleTypeWarnings(trained: string, scene: SampleType): readonly Warning[] {
  if (trained === scene || trained === "unknown") return [];
  const message = `The scene's samples are ${scene}, those of the training data were ${trained}.`;
  return [{ code: "SAMPLE_TYPE_DIFFERS", message, hint: "Make sure that both have the same units and scaling." }];
}
