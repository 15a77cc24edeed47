/** What passes between the page and the worker that computes. */

import type { Rgb } from "@geolearn/core";

/** A class of the model, with its pixels in the present map. */
export interface ClassSummary {
  readonly value: number;
  readonly name: string;
  readonly color: Rgb;
}

/** The engine that runs. */
export interface EngineSummary {
  readonly device: string;
  readonly threads: number;
  readonly version: string;
  readonly passedOver: readonly { readonly device: string; readonly reason: string }[];
}

/** A model that was opened. */
export interface ModelSummary {
  readonly name: string;
  readonly modelType: string;
  readonly bandNames: readonly string[];
  readonly classes: readonly ClassSummary[];
  readonly chipSize: readonly [width: number, height: number];
  readonly parameters: number;
}

/** A scene that was opened, and a picture of it, perhaps reduced. */
export interface SceneSummary {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly bands: number;
  readonly sampleType: string;
  readonly crs: string | null;
  /** Pixel to world, or null. */
  readonly transform: readonly [number, number, number, number, number, number] | null;
  readonly picture: Picture;
}

/** Pixels to draw. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  /** Red, green, blue and alpha of each pixel. */
  readonly data: Uint8Array;
}

/** A classified scene. */
export interface MapSummary {
  readonly width: number;
  readonly height: number;
  readonly nodata: number;
  /** Class values `[height, width]`. */
  readonly values: Uint8Array | Uint16Array | Uint32Array;
  /** Pixels of each class value. */
  readonly pixels: ReadonlyMap<number, number>;
  readonly windows: number;
  readonly seconds: number;
}

/** What training did. */
export interface TrainingSummary {
  readonly losses: readonly number[];
  readonly seconds: number;
}

/** What the worker can be asked. */
export interface Tasks {
  start: { ask: { device: "auto" | "cpu" | "webgpu"; assets: string }; answer: EngineSummary };
  openModel: { ask: { file: File }; answer: ModelSummary };
  openScene: { ask: { file: File }; answer: SceneSummary };
  classify: { ask: { overlap: number }; answer: MapSummary };
  encodeMap: { ask: Record<string, never>; answer: Uint8Array };
  train: { ask: { labels: File; steps: number; learningRate: number }; answer: TrainingSummary };
  encodeModel: { ask: Record<string, never>; answer: Uint8Array };
}

/** A question to the worker. */
export interface Question<T extends keyof Tasks = keyof Tasks> {
  readonly id: number;
  readonly task: T;
  readonly ask: Tasks[T]["ask"];
}

/** What the worker says: how far it is, an answer, or why not. */
export type Reply =
  | { readonly id: number; readonly kind: "progress"; readonly done: number; readonly total: number }
  | { readonly id: number; readonly kind: "answer"; readonly answer: unknown }
  | { readonly id: number; readonly kind: "failure"; readonly code: string; readonly message: string; readonly hint: string | null };
