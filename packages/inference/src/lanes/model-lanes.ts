/** A model package on threads of its own: loaded and started when it is first needed, and again after a cancelled run has ended them. */

import { ComputeLanes } from "#compute-lanes";
import { checksum, cores, defaultDevice } from "#platform";
import { GeoLearnError, type SampleType, type Task, type Warning, type OptionRules, rules } from "@geolearn/core";
import type { Device } from "@geolearn/engine";
import { type DecodeOptions, type ModelManifest, type ModelPackage, readModelPackage } from "@geolearn/models";

import type { BlockConfiguration, PixelBlock, SceneInfo } from "../inference-function.ts";
import { modelBands } from "../run/model-bands.ts";
import type { LaneSetup, NetworkFrame, Outputs } from "./lane-messages.ts";
import { laneModel } from "./lane-model.ts";

/** Where a model runs. */
export interface ComputeOptions {
  /** @defaultValue "cpu", in a browser the device of the running engine */
  readonly device?: Device;
  /** Threads of one operation. @defaultValue the cores divided by `workers` */
  readonly threads?: number;
  /** Threads that each hold the network and compute whole blocks. @defaultValue the cores, at most 4, on the CPU; else 1 */
  readonly workers?: number;
  /** Blocks per call. @defaultValue 4 on the CPU, else 16 */
  readonly batchSize?: number;
}

const DEVICES = ["cpu", "webgpu", "cuda", "coreml", "dml", "tensorflow", "auto"] as const satisfies readonly Device[];

/** Rules for {@link ComputeOptions}. */
export const COMPUTE_RULES: OptionRules<ComputeOptions> = {
  device: rules.oneOf(...DEVICES),
  threads: rules.whole(),
  workers: rules.whole(),
  batchSize: rules.whole(),
};

/** Those of some options that say where a model runs. */
export function computeOptions(options: ComputeOptions): ComputeOptions {
  const { device, threads, workers, batchSize } = options;
  return Object.fromEntries(Object.entries({ device, threads, workers, batchSize }).filter(([, value]) => value !== undefined));
}

/** What a model must be made for. */
export interface ModelUse {
  readonly tasks: readonly Task[];
  /** What is done with it, for messages: "classifying pixels". */
  readonly doing: string;
  /** What the decoder of a network that finds objects leaves out. */
  readonly decoding?: DecodeOptions;
}

/**
 * Workers at most when nobody says: each holds the network and its working memory. Blocks in parallel use cores better than the
 * threads of one operation do, above all on a machine that has other work.
 */
const MOST_WORKERS = 4;
/** Pixels per run of the network on devices other than the CPU, where large batches pay. */
const DEVICE_PIXELS = 8 * 256 * 256;

/** On the CPU a run of the network always has one block, so results do not depend on batch size, workers or threads. */
export class ModelLanes {
  readonly #model: ModelPackage | string;
  readonly #options: ComputeOptions;
  readonly #use: ModelUse;
  readonly #device: Device;
  readonly #workers: number;
  #loaded: ModelPackage | null = null;
  #fingerprint: string | undefined;
  #lanes: ComputeLanes | null = null;
  #starting: Promise<ComputeLanes> | null = null;

  constructor(model: ModelPackage | string, options: ComputeOptions, use: ModelUse) {
    this.#model = model;
    this.#options = options;
    this.#use = use;
    this.#device = options.device ?? defaultDevice();
    this.#workers = options.workers ?? defaultWorkers(this.#device);
  }

  /** The path it was given as, or the model's name. */
  get name(): string {
    return typeof this.#model === "string" ? this.#model : this.#model.manifest.name;
  }

  /** Changes with weights, classes, bands and device; unknown until it has started. */
  get fingerprint(): string | undefined {
    return this.#fingerprint;
  }

  /** The package. @throws what reading it throws; TASK_MISMATCH */
  async load(): Promise<ModelPackage> {
    this.#loaded ??= typeof this.#model === "string" ? await readModelPackage(this.#model) : this.#model;
    const { task } = this.#loaded.manifest;
    const { tasks, doing } = this.#use;
    if (!tasks.includes(task)) {
      throw new GeoLearnError(
        "TASK_MISMATCH",
        `The model ${this.name} was trained for ${task}; ${doing} needs a model of ${tasks.join(" or ")}.`,
        {
          hint: "Use the function of that task, or another model.",
        },
      );
    }
    return this.#loaded;
  }

  /** What every function of a model wants of a scene. Starts the threads. */
  async configure(scene: SceneInfo): Promise<BlockConfiguration & { readonly manifest: ModelManifest }> {
    const { manifest } = await this.load();
    const bands = scene.bandsChosen ? manifest.bandIndices : modelBands(manifest, scene);
    const { stride, margin } = await this.#start();
    const { chipWidth, chipHeight, statistics } = manifest;
    return {
      manifest,
      bands,
      tileWidth: chipWidth,
      tileHeight: chipHeight,
      padding: Math.floor((Math.min(chipWidth, chipHeight) - 2 * margin) / 4),
      batchSize: this.#options.batchSize ?? (this.#onCpu ? 4 : 16),
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

  /** Outputs of the network for a block, the first in its `out` when that is shared memory. @throws INVALID_ARGUMENT before `configure` */
  async run(block: PixelBlock, signal?: AbortSignal): Promise<Outputs> {
    if (this.#lanes !== null) return this.#lanes.run(block, signal);
    throw new GeoLearnError("INVALID_ARGUMENT", `The model ${this.name} was not configured.`, {
      hint: "Call configure() before blocks are computed.",
    });
  }

  /** Ends the threads. */
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

  async #start(): Promise<NetworkFrame> {
    if (this.#lanes !== null && !this.#lanes.closed) return this.#lanes.frame;
    this.#starting ??= this.#newLanes();
    try {
      this.#lanes = await this.#starting;
      return this.#lanes.frame;
    } finally {
      this.#starting = null;
    }
  }

  async #newLanes(): Promise<ComputeLanes> {
    const loaded = await this.load();
    const { manifest } = loaded;
    const computeBatch = this.#computeBatch(loaded);
    const model = laneModel(loaded, computeBatch, this.#use.decoding);
    this.#fingerprint ??= fingerprintOf(manifest, model.buffer, [this.#device, this.#use.decoding]);
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

/** Where normalization has its zero: what missing samples become when no statistics are known. */
function centreOf({ graph, bandIndices }: ModelManifest): readonly number[] {
  return graph?.offset ?? bandIndices.map(() => 0);
}

function fingerprintOf(manifest: ModelManifest, weights: ArrayBufferLike, rest: unknown): string | undefined {
  const { modelType, config, graph, classes, bandIndices, statistics, chipWidth, chipHeight } = manifest;
  const described = JSON.stringify({ modelType, config, graph, classes, bandIndices, statistics, chipWidth, chipHeight, rest });
  return checksum([described, new Uint8Array(weights)]);
}

function sampleTypeWarnings(trained: string, scene: SampleType): readonly Warning[] {
  if (trained === scene || trained === "unknown") return [];
  const message = `The scene's samples are ${scene}, those of the training data were ${trained}.`;
  return [{ code: "SAMPLE_TYPE_DIFFERS", message, hint: "Make sure that both have the same units and scaling." }];
}
