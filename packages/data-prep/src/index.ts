export { type BatchesOptions, type ChipSet, IGNORE_INDEX, type LearningData, type PixelBatch } from "./learning-data.ts";
