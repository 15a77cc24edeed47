/** A trained classifier of whole chips: blocks of raw pixels to scores of classes. */

import { type ClassDefinition, GeoLearnError } from "@geolearn/core";
import { type ModelManifest, type ModelPackage, tileScores } from "@geolearn/models";

import type { BlockConfiguration, PixelBlock, SceneInfo } from "../inference-function.ts";
import { type ComputeOptions, ModelLanes } from "../lanes/model-lanes.ts";

/** What a classifier is and wants. */
export interface TileConfiguration extends BlockConfiguration {
  readonly manifest: ModelManifest;
  readonly classes: readonly ClassDefinition[];
  /** Where a chip may have several classes, the score from which it has each; else null. */
  readonly thresholds: readonly number[] | null;
}

/** A classifier of chips on threads of its own, or around an ONNX file. */
export class TileScorer {
  readonly #lanes: ModelLanes;
  #manifest: ModelManifest | null = null;

  constructor(model: ModelPackage | string, options: ComputeOptions) {
    this.#lanes = new ModelLanes(model, options, { tasks: ["objectClassification"], doing: "classifying objects" });
  }

  get name(): string {
    return this.#lanes.name;
  }

  /** It has no parameters to choose. */
  parameters(): readonly [] {
    return [];
  }

  /** Opens the model, before anything is read for it. @throws what reading it throws; TASK_MISMATCH */
  async load(): Promise<void> {
    await this.#lanes.load();
  }

  async configure(scene: SceneInfo): Promise<TileConfiguration> {
    const { manifest, ...block } = await this.#lanes.configure(scene);
    this.#manifest = manifest;
    const thresholds = (manifest.config["thresholds"] ?? null) as readonly number[] | null;
    return { ...block, manifest, classes: manifest.classes, thresholds };
  }

  /** Scores `[size, classes]`, 0 to 1. @throws ENGINE_FAILED for a model that gives anything else */
  async score(block: PixelBlock, signal?: AbortSignal): Promise<Float32Array> {
    const [numbers] = await this.#lanes.run(block, signal);
    const manifest = this.#manifest!;
    const scores = numbers === undefined ? null : tileScores(numbers, numbers.length / block.size, manifest);
    if (scores?.length === block.size * manifest.classes.length) return scores;
    throw new GeoLearnError("ENGINE_FAILED", `The model ${this.name} gave no score for each class.`, {
      hint: "Train or export the model again.",
    });
  }

  async dispose(): Promise<void> {
    await this.#lanes.dispose();
  }
}
