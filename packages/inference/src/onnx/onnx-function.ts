/**
 * ONNX networks that find or classify objects: a block of pixels in, the network's arrays out, and decoders for the layouts most tools
 * write. What turns them into features on a map builds on this.
 */

import { GeoLearnError } from "@geolearn/core";
import {
  FRAMED_INPUT,
  type HostTensor,
  type OnnxSession,
  type ReadOnnxOptions,
  frameOnnxModel,
  openOnnxSession,
  parseOnnxModel,
  startEngine,
} from "@geolearn/engine";
import { type ModelManifest, type ModelPackage, type OnnxConfig, type OnnxSpec, openOnnx } from "@geolearn/models";

import { modelBands } from "../run/model-bands.ts";
import { cornersOf, gridMasks } from "./outputs.ts";
import type { Detection, DetectionConfiguration, DetectionFunction, ParameterInfo, PixelBlock, SceneInfo } from "../inference-function.ts";

/** An ONNX network that finds or classifies objects. */
export interface OnnxFunction extends DetectionFunction {
  /** Task, classes, bands, chip size. */
  readonly manifest: ModelManifest;
  /**
   * The network's outputs by name, one set for each run: a run takes as many images as the file is fixed to, else the whole block.
   *
   * @throws INVALID_ARGUMENT for a block that is not of chip size; the signal's reason between runs
   */
  run(block: PixelBlock, signal?: AbortSignal): Promise<readonly Readonly<Record<string, HostTensor>>[]>;
  /** Objects of each image, best first. @throws TASK_MISMATCH for a network that classifies; CLASS_UNKNOWN */
  detect(block: PixelBlock, signal?: AbortSignal): Promise<readonly (readonly Detection[])[]>;
  /** Scores `[images, classes]`, 0 to 1. @throws TASK_MISMATCH for a network that detects */
  classify(block: PixelBlock, signal?: AbortSignal): Promise<Float32Array>;
  /** Releases the sessions; what is still running must have ended. */
  dispose(): Promise<void>;
}

/**
 * Opens a detector or classifier from PyTorch, TensorFlow or anything else that writes ONNX. Detectors give `boxes`, `scores` and `labels`, as
 * those of torchvision do (for one image without a batch side, or with one); classifiers give a score per class. Runs in the caller's
 * thread.
 *
 * @throws what `openOnnx` throws; TASK_MISMATCH for a network of pixelClassification, which `fromOnnx` opens
 * @example
 * const trees = await openOnnxFunction("trees.onnx", { task: "objectDetection", classes: ["background", "tree"], normalization: { scale: 1 / 255 } });
 * const [found] = await trees.detect(block);
 */
export async function openOnnxFunction(
  source: string | Uint8Array | ModelPackage,
  spec: OnnxSpec = {},
  options: ReadOnnxOptions = {},
): Promise<OnnxFunction> {
  const pkg = typeof source === "string" || source instanceof Uint8Array ? await openOnnx(source, spec, options) : source;
  const { manifest, onnx } = pkg;
  if (onnx === null || manifest.graph === undefined || manifest.task === "pixelClassification") {
    throw new GeoLearnError("TASK_MISMATCH", `${pkg.source} is made for ${manifest.task}.`, {
      hint: "Open it with `fromOnnx`, or with `fromModel`.",
    });
  }
  await startEngine();
  return new Runner(pkg.source, manifest, manifest.graph, onnx);
}

class Runner implements OnnxFunction {
  /** Sessions by the images of a run. */
  private readonly sessions = new Map<number, Promise<OnnxSession>>();

  constructor(
    private readonly source: string,
    readonly manifest: ModelManifest,
    private readonly config: OnnxConfig,
    private readonly onnx: Uint8Array,
  ) {}

  get name(): string {
    return this.manifest.name;
  }

  parameters(): readonly ParameterInfo[] {
    return [];
  }

  configure(scene: SceneInfo): Promise<DetectionConfiguration> {
    const { chipWidth, chipHeight, classes, statistics, bandIndices, bandNames, resolution } = this.manifest;
    return Promise.resolve({
      bands: scene.bandsChosen ? bandIndices : modelBands(this.manifest, scene),
      tileWidth: chipWidth,
      tileHeight: chipHeight,
      padding: Math.floor(Math.min(chipWidth, chipHeight) / 4),
      batchSize: this.config.batch ?? 4,
      classes,
      fill: statistics.length > 0 ? statistics.map(({ mean }) => mean) : (this.config.offset ?? bandIndices.map(() => 0)),
      resolution,
      ...(statistics.length > 0 ? { statistics } : {}),
      bandNames,
    });
  }

  async run(
    { pixels, size, height, width, bands }: PixelBlock,
    signal?: AbortSignal,
  ): Promise<readonly Readonly<Record<string, HostTensor>>[]> {
    const { chipWidth, chipHeight, bandIndices } = this.manifest;
    if (width !== chipWidth || height !== chipHeight || bands !== bandIndices.length) {
      throw new GeoLearnError(
        "INVALID_ARGUMENT",
        `${this.source} got a block of ${width} x ${height} pixels and ${bands} bands; it takes ${chipWidth} x ${chipHeight} and ${bandIndices.length}.`,
        { hint: "Cut blocks of chip size with the bands of the manifest." },
      );
    }
    const batch = this.config.batch ?? size;
    const session = await this.session(batch);
    const length = height * width * bands;
    const results: Record<string, HostTensor>[] = [];
    for (let first = 0; first < size; first += batch) {
      signal?.throwIfAborted();
      // A last run that is not full gets empty images behind it.
      const data = new Float32Array(batch * length);
      data.set(pixels.subarray(first * length, Math.min(first + batch, size) * length));
      results.push(await session.run({ [FRAMED_INPUT]: { data, shape: [batch, height, width, bands], dtype: "float32" } }));
    }
    return results;
  }

  async detect(block: PixelBlock, signal?: AbortSignal): Promise<readonly (readonly Detection[])[]> {
    const { output } = this.config;
    if (output.kind !== "objects") throw this.mismatch("detect objects");
    const images: (readonly Detection[])[] = [];
    for (const results of await this.run(block, signal)) {
      const [boxes, scores, labels] = [results[output.boxes]!, results[output.scores]!, results[output.labels]!];
      const masks = output.masks === undefined ? null : results[output.masks]!;
      // Without a side for images there is one; with padding, scores of 0 fill up.
      const count = boxes.shape.length === 3 ? boxes.shape[0]! : 1;
      const each = boxes.data.length / 4 / Math.max(1, count);
      if (scores.data.length !== count * each || labels.data.length !== count * each) throw this.unequal({ boxes, scores, labels });
      const maskOf = masks === null ? null : gridMasks(masks, count * each, block);
      if (masks !== null && maskOf === null) throw this.unequal({ boxes, scores, labels, masks });
      for (let i = 0; i < count; i++) {
        const found = Array.from({ length: each }, (_, k) => i * each + k)
          .filter((at) => scores.data[at]! > 0)
          .map((at) => {
            const box = cornersOf(boxes.data, 4 * at, output.order, output.unit === "fraction" ? [block.width, block.height] : [1, 1]);
            const found = { box, score: scores.data[at]!, classIndex: this.classIndexOf(labels.data[at]!) };
            return maskOf === null ? found : { ...found, mask: maskOf(at, box) };
          });
        images.push(found.toSorted((a, b) => b.score - a.score));
      }
    }
    return images.slice(0, block.size);
  }

  async classify(block: PixelBlock, signal?: AbortSignal): Promise<Float32Array> {
    const { output } = this.config;
    if (output.kind !== "image") throw this.mismatch("classify objects");
    const classes = this.manifest.classes.length;
    const scores = new Float32Array(block.size * classes);
    let at = 0;
    for (const results of await this.run(block, signal)) {
      const { data, shape } = results[output.name]!;
      const channels = shape.at(-1)!;
      for (let first = 0; first < data.length && at < scores.length; first += channels, at += classes)
        scores.set(scoresOf(data.subarray(first, first + channels) as Float32Array, output.values, classes), at);
    }
    return scores;
  }

  async dispose(): Promise<void> {
    for (const session of this.sessions.values()) await (await session).dispose();
    this.sessions.clear();
  }

  private session(batch: number): Promise<OnnxSession> {
    const { input: name, layout, offset, divisor } = this.config;
    const { chipWidth, chipHeight, bandIndices } = this.manifest;
    const shape = [batch, chipHeight, chipWidth, bandIndices.length] as const;
    const made =
      this.sessions.get(batch) ??
      openOnnxSession(
        frameOnnxModel(
          parseOnnxModel(this.onnx, this.source),
          { name, layout, shape, offset: offset ?? undefined, divisor: divisor ?? undefined },
          null,
        ),
      );
    this.sessions.set(batch, made);
    return made;
  }

  private classIndexOf(label: number): number {
    if (this.manifest.classes[label] !== undefined) return label;
    throw new GeoLearnError(
      "CLASS_UNKNOWN",
      `${this.source} gives the label ${label}; ${this.manifest.classes.length} classes are described.`,
      {
        hint: "Describe all `classes` by their labels from 0, background first where the network counts it.",
        data: { label },
      },
    );
  }

  private mismatch(what: string): GeoLearnError {
    return new GeoLearnError("TASK_MISMATCH", `${this.source} is made for ${this.manifest.task} and cannot ${what}.`, {
      hint: "Use the method of its task.",
    });
  }

  private unequal(outputs: Readonly<Record<string, HostTensor>>): GeoLearnError {
    const said = Object.entries(outputs).map(([name, { shape }]) => `${name} [${shape.join(", ")}]`);
    return new GeoLearnError("ENGINE_FAILED", `${this.source} gives outputs that do not go together: ${said.join(", ")}.`, {
      hint: "Name the right outputs in the spec.",
    });
  }
}

/** Scores of one image; one channel tells two classes apart. */
function scoresOf(numbers: Float32Array, values: "logits" | "scores", classes: number): Float32Array {
  if (numbers.length === 1 && classes === 2) {
    const second = values === "logits" ? 1 / (1 + Math.exp(-numbers[0]!)) : numbers[0]!;
    return Float32Array.of(1 - second, second);
  }
  if (values === "scores") return numbers;
  const greatest = numbers.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = numbers.map((value) => Math.exp(value - greatest));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}
