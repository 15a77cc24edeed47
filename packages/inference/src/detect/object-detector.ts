/** A trained network as a function that finds objects. */

import { GeoLearnError, checkOptions, type OptionRules, rules } from "@geolearn/core";
import type { DecodeOptions, ModelPackage } from "@geolearn/models";

import type { Detection, DetectionConfiguration, DetectionFunction, ParameterInfo, PixelBlock, SceneInfo } from "../inference-function.ts";
import type { Outputs } from "../lanes/lane-messages.ts";
import { COMPUTE_RULES, type ComputeOptions, ModelLanes } from "../lanes/model-lanes.ts";
import { openOnnxFunction } from "../onnx/onnx-function.ts";

/** Options of {@link objectDetector}. */
export interface ObjectDetectorOptions extends ComputeOptions, DecodeOptions {}

const RULES: OptionRules<ObjectDetectorOptions> = {
  ...COMPUTE_RULES,
  minScore: rules.share,
  nmsOverlap: rules.share,
  maxDetections: rules.whole(),
};

/**
 * A model package, or the path of one, as a function that finds objects: boxes, and masks where the network outlines them. The network
 * runs on threads of its own with the weights written into its graph; it is loaded when the function is configured first. A package
 * around an ONNX file runs in the caller's thread and decides itself what it leaves out.
 *
 * @throws INVALID_ARGUMENT for an option that there is not, or a wrong value
 * @example
 * const fn = objectDetector("trees.dlpk", { minScore: 0.3 });
 * const trees = await detectObjects(fn, "forest.tif", { minScore: 0.3 });
 * await fn.dispose();
 */
export function objectDetector(model: ModelPackage | string, options: ObjectDetectorOptions = {}): DetectionFunction {
  checkOptions(options, RULES, "objectDetector()");
  const { minScore, nmsOverlap, maxDetections, ...compute } = options;
  const given = Object.entries({ minScore, nmsOverlap, maxDetections }).filter(([, value]) => value !== undefined);
  const tasks = ["objectDetection", "instanceSegmentation"] as const;
  const decoding = Object.fromEntries(given);
  return new ObjectDetector(new ModelLanes(model, compute, { tasks, doing: "finding objects", decoding }), maxDetections ?? 100);
}

class ObjectDetector implements DetectionFunction {
  /** What runs a package around an ONNX file. */
  #graph: DetectionFunction | null = null;

  constructor(
    private readonly lanes: ModelLanes,
    private readonly maxDetections: number,
  ) {}

  get name(): string {
    return this.lanes.name;
  }

  get fingerprint(): string | undefined {
    return this.lanes.fingerprint;
  }

  parameters(): readonly ParameterInfo[] {
    return [];
  }

  async configure(scene: SceneInfo): Promise<DetectionConfiguration> {
    const model = await this.lanes.load();
    if (model.manifest.graph !== undefined) {
      this.#graph ??= await openOnnxFunction(model);
      return this.#graph.configure(scene);
    }
    const { manifest, ...block } = await this.lanes.configure(scene);
    return { ...block, classes: manifest.classes, maxDetections: this.maxDetections };
  }

  async detect(block: PixelBlock, signal?: AbortSignal): Promise<readonly (readonly Detection[])[]> {
    if (this.#graph !== null) return this.#graph.detect(block, signal);
    return detectionsOf(await this.lanes.run(block, signal), block.size, this.name);
  }

  async dispose(): Promise<void> {
    await this.#graph?.dispose();
    this.#graph = null;
    await this.lanes.dispose();
  }
}

/** The objects of each block: those with a score. */
function detectionsOf([boxes, scores, classIndices, masks]: Outputs, size: number, name: string): Detection[][] {
  if (boxes === undefined || scores === undefined || classIndices === undefined || boxes.length !== 4 * scores.length) {
    throw new GeoLearnError("ENGINE_FAILED", `The model ${name} gave no boxes with scores.`, { hint: "Train or export the model again." });
  }
  const each = scores.length / size;
  const area = masks === undefined ? 0 : masks.length / scores.length;
  const side = Math.sqrt(area);
  return Array.from({ length: size }, (_, image) =>
    Array.from({ length: each }, (_unused, k) => image * each + k)
      .filter((at) => scores[at]! > 0)
      .map((at) => ({
        box: [boxes[4 * at]!, boxes[4 * at + 1]!, boxes[4 * at + 2]!, boxes[4 * at + 3]!] as const,
        score: scores[at]!,
        classIndex: classIndices[at]!,
        ...(masks === undefined ? {} : { mask: { width: side, height: side, scores: masks.slice(at * area, (at + 1) * area) } }),
      })),
  );
}
