/** The classes of a map: the user's values (which may have gaps), their names and colours. */

/** One class. */
export interface ClassDefinition {
  /** The value in the user's labels and in every output raster, an integer of at least 0; 0 is background. */
  readonly value: number;
  readonly name: string;
  /** sRGB, 0 to 255 each. */
  readonly color: Rgb;
}

/** Red, green, blue, 0 to 255. */
export type Rgb = readonly [r: number, g: number, b: number];

/** The tasks a network can be trained for. */
export type Task = "pixelClassification" | "objectDetection" | "instanceSegmentation" | "objectClassification";

/** How a chip is cut out around a feature. */
export interface CropManner {
  /** A chip of the chip size with the feature in the middle, or the box around the feature, resampled to it. */
  readonly mode: "fixedSize" | "boundingBox";
  /** Whether everything but the feature is 0. */
  readonly blacken: boolean;
}
