/**
 * ONNX networks that find or classify objects: a block of pixels in, the network's arrays out, and decoders for the layouts most tools
 * write. What turns them into features on a map builds on this.
 */

import { GeoLearnError, checkOptions, type OptionRules, rules } from "@geolearn/core";
import { type HostTensor, type ReadOnnxOptions, startEngine } from "@geolearn/engine";
import { GraphRunner, type ModelManifest, type ModelPackage, type OnnxConfig, type OnnxSpec, openOnnx } from "@geolearn/models";

import { modelBands } from "../run/model-bands.ts";
import type { Detection, DetectionConfiguration, DetectionFunction, ParameterInfo, PixelBlock, SceneInfo } from "../inference-function.ts";

/** Rules for {@link ReadOnnxOptions}. */
export const READ_ONNX_RULES: OptionRules<ReadOnnxOptions> = { externalData: rules.boolean };

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
  checkOptions(options, READ_ONNX_RULES, "openOnnxFunction()");
  const pkg = typeof source === "string" || source instanceof Uint8Array ? await openOnnx(source, spec, options) : source;
  const { manifest, onnx } = pkg;
  if (onnx === null || manifest.graph === undefined || manifest.task === "pixelClassification") {
    throw new GeoLearnError("TASK_MISMATCH", `${pkg.source} is made for ${manifest.task}.`, {
      hint: "Open it with `fromOnnx`, or with `fromModel`.",
    });
  }
  await startEngine();
  return new Runner(pkg.source, manifest, manifest.graph, pkg);
}

class Runner implements OnnxFunction {
  readonly #graph: GraphRunner;

  constructor(
    private readonly source: string,
    readonly manifest: ModelManifest,
    private readonly config: OnnxConfig,
    model: ModelPackage,
  ) {
    this.#graph = new GraphRunner(model);
  }

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
      stride: this.config.stride,
      classes,
      fill: statistics.length > 0 ? statistics.map(({ mean }) => mean) : (this.config.offset ?? bandIndices.map(() => 0)),
      resolution,
      ...(statistics.length > 0 ? { statistics } : {}),
      bandNames,
    });
  }

  async run(block: PixelBlock, signal?: AbortSignal): Promise<readonly Readonly<Record<string, HostTensor>>[]> {
    return this.#graph.run(this.checked(block), signal);
  }

  async detect(block: PixelBlock, signal?: AbortSignal): Promise<readonly (readonly Detection[])[]> {
    return this.#graph.detect(this.checked(block), signal);
  }

  async classify(block: PixelBlock, signal?: AbortSignal): Promise<Float32Array> {
    return this.#graph.classify(this.checked(block), signal);
  }

  dispose(): Promise<void> {
    return this.#graph.dispose();
  }

  private checked(block: PixelBlock): PixelBlock {
    const { width, height, bands } = block;
    const { chipWidth, chipHeight, bandIndices } = this.manifest;
    if (width === chipWidth && height === chipHeight && bands === bandIndices.length) return block;
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `${this.source} got a block of ${width} x ${height} pixels and ${bands} bands; it takes ${chipWidth} x ${chipHeight} and ${bandIndices.length}.`,
      { hint: "Cut blocks of chip size with the bands of the manifest." },
    );
  }
}
