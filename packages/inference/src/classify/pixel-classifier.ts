/** A trained network as an inference function. */

import { checkOptions } from "@geolearn/core";
import type { ModelPackage } from "@geolearn/models";

import type { InferenceConfiguration, InferenceFunction, ParameterInfo, PixelBlock, SceneInfo } from "../inference-function.ts";
import { COMPUTE_RULES, type ComputeOptions, ModelLanes } from "../lanes/model-lanes.ts";

/**
 * A model package, or the path of one, as an inference function: softmax scores, a band per class. The network runs on
 * threads of its own with the weights written into its graph; it is loaded when the function is configured first.
 *
 * On the CPU a run of the network always has one block, so results do not depend on batch size, workers or threads.
 *
 * @throws INVALID_ARGUMENT for an option that there is not, or a wrong value
 * @example
 * const fn = pixelClassifier("buildings.dlpk", { device: "cpu" });
 * const map = await runInference(fn, "scene.tif");
 * await fn.dispose();
 */
export function pixelClassifier(model: ModelPackage | string, options: ComputeOptions = {}): InferenceFunction {
  checkOptions(options, COMPUTE_RULES, "pixelClassifier()");
  return new PixelClassifier(new ModelLanes(model, options, { tasks: ["pixelClassification"], doing: "classifying pixels" }));
}

class PixelClassifier implements InferenceFunction {
  constructor(private readonly lanes: ModelLanes) {}

  get name(): string {
    return this.lanes.name;
  }

  get fingerprint(): string | undefined {
    return this.lanes.fingerprint;
  }

  parameters(): readonly ParameterInfo[] {
    return [];
  }

  async configure(scene: SceneInfo): Promise<InferenceConfiguration> {
    const { manifest, ...block } = await this.lanes.configure(scene);
    const { classes } = manifest;
    return { ...block, output: "scores", outputBands: classes.length, outputType: "float32", classes };
  }

  async process(block: PixelBlock, signal?: AbortSignal): Promise<Float32Array> {
    return (await this.lanes.run(block, signal))[0]!;
  }

  dispose(): Promise<void> {
    return this.lanes.dispose();
  }
}
