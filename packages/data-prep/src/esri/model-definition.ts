/**
 * `esri_model_definition.emd` of an export: a template for a model plus what the chips are. Real files differ by
 * generation: sizes may be hints ("e.g. 256"), colours may be -1, and MetaDataMode may be missing.
 */

import { type BandStatistics, type ClassDefinition, GeoLearnError, type Rgb, showValue } from "@geolearn/core";

import { laterProps, type LaterStats } from "./accumulated-stats.ts";
import { type CellSize, cellSizeJson, corruptChips } from "./common.ts";
import { isObject, type JsonObject, numberOrNull, stringOrNull } from "./json.ts";
import { BACKGROUND_COLOR, paletteColor } from "./palette.ts";

/** Largest class value: labels are at most 16 bits wide and one value means "ignore". */
export const MAX_CLASS_VALUE = 65534;

/** What geolearn adds to the file under its own key `GeoLearn`. */
export interface GeoLearnSection {
  readonly FormatVersion: 1;
  /** Label value no loss and no metric looks at: outside the mask, image without data. Also the label chips' nodata. */
  readonly IgnoreValue: number;
  readonly LabelSampleType: "uint8" | "uint16";
  /** Definition (EPSG code or WKT) per run of the export; PNG and JPEG chips have world files without one. */
  readonly Runs: readonly ExportRun[];
}

/** Chips of one raster. */
export interface ExportRun {
  readonly FirstIndex: number;
  /** Index after the last chip of the run. */
  readonly EndIndex: number;
  /** `"EPSG:32633"`, WKT, or null. */
  readonly Crs: string | null;
  readonly Stride: readonly [x: number, y: number];
  /** Identifies inputs and options: a finished export is not done twice. */
  readonly Fingerprint: string;
}

/** The parts of a file that geolearn uses. */
export interface ModelDefinition {
  readonly metaDataMode: string | null;
  readonly classes: readonly ClassDefinition[];
  readonly bandNames: readonly string[];
  readonly cellSize: CellSize | null;
  /** Chips are as large as their objects, not of one size. */
  readonly boundingBoxes: boolean;
  /** Everything but the feature is 0. */
  readonly blackened: boolean;
  /** Size of the chips, where it is told. */
  readonly size: { readonly width: number; readonly height: number } | null;
  readonly geolearn: GeoLearnSection | null;
}

/** What is written. */
export interface ModelDefinitionContent {
  readonly width: number;
  readonly height: number;
  readonly metaDataMode: string;
  readonly blacken: boolean;
  readonly cropMode: "fixedSize" | "boundingBox";
  readonly classes: readonly ClassDefinition[];
  readonly bandNames: readonly string[];
  readonly bandStatistics: readonly BandStatistics[];
  readonly minCellSize: CellSize | null;
  readonly maxCellSize: CellSize | null;
  readonly rasterCount: number;
  readonly sensorName: string;
  /** The images of a later date; null where there are none. */
  readonly later: (Omit<LaterStats, "bandMoments"> & { readonly bandStatistics: readonly BandStatistics[] }) | null;
  readonly geolearn: GeoLearnSection;
}

const WELL_KNOWN_BANDS = [
  "Red",
  "Green",
  "Blue",
  "Infrared",
  "CoastalBlue",
  "Yellow",
  "RedEdge",
  "ShortWaveInfrared",
  "NearInfrared",
  "NearInfrared_1",
  "NearInfrared_2",
  "MidInfrared",
  "MidInfrared_1",
  "MidInfrared_2",
  "Thermal",
  "Thermal_1",
  "Thermal_2",
  "Panchromatic",
  "PseudoRed",
  "PseudoGreen",
  "PseudoBlue",
  "QA",
];

/** The file's JSON, keys in the order of newer exports. */
export function modelDefinitionJson(content: ModelDefinitionContent): JsonObject {
  return {
    Framework: "e.g. TensorFlow or PyTorch",
    ModelConfiguration: "e.g. UNet or FasterRCNN",
    ModelType: "e.g. ObjectDetection or ImageClassification",
    ModelFile: "e.g. ./trained.model",
    Description: "e.g. which data model was trained on, when, by whom, mAP, etc",
    ImageHeight: content.height,
    ImageWidth: content.width,
    ExtractBands: content.bandNames.map((_, band) => band),
    DataRange: "e.g. [0.1, 1.0] (optional)",
    ModelPadding: "e.g. 64 (optional)",
    BatchSize: "e.g. 8 (optional)",
    PerProcessGPUMemoryFraction: "e.g. 0.8 (optional)",
    MetaDataMode: content.metaDataMode,
    BlackenAroundFeature: content.blacken,
    IsMultidimensional: false,
    CropTileMode: content.cropMode === "boundingBox" ? "Bounding_Box" : "Fixed_Size",
    ImageSpaceUsed: "MAP_SPACE",
    ...(content.minCellSize === null ? {} : { MinCellSize: cellSizeJson(content.minCellSize) }),
    ...(content.maxCellSize === null ? {} : { MaxCellSize: cellSizeJson(content.maxCellSize) }),
    Classes: content.classes.map(({ value, name, color }) => ({ Value: value, Name: name, Color: [...color] })),
    InputRastersProps: { RasterCount: content.rasterCount, SensorName: content.sensorName, BandNames: [...content.bandNames] },
    ...(content.later === null ? {} : { InputRastersProps2: laterProps(content.later, content.sensorName) }),
    AllTilesStats: tilesStats(content),
    ...(content.later === null ? {} : { AllTilesStats2: tilesStats(content.later) }),
    GeoLearn: content.geolearn,
    "WellKnownBandNames (FYI, these band names can be used in ExtractBands)": WELL_KNOWN_BANDS,
  };
}

function tilesStats({ bandNames, bandStatistics }: Pick<ModelDefinitionContent, "bandNames" | "bandStatistics">): JsonObject[] {
  return bandStatistics.map(({ min, max, mean, std }, band) => ({
    BandName: bandNames[band] ?? "",
    Min: min,
    Max: max,
    Mean: mean,
    StdDev: std,
  }));
}

/**
 * The parts of an `.emd` that chips need.
 *
 * @throws CHIPS_CORRUPT for classes that are not a list of values, INVALID_ARGUMENT for a value beyond 16 bits
 */
export function parseModelDefinition(json: JsonObject, path: string): ModelDefinition {
  const props = isObject(json["InputRastersProps"]) ? json["InputRastersProps"] : {};
  const names = Array.isArray(props["BandNames"]) ? (props["BandNames"] as unknown[]) : [];
  const cell = isObject(json["MinCellSize"]) ? json["MinCellSize"] : null;
  const reference = cell !== null && isObject(cell["spatialReference"]) ? cell["spatialReference"] : {};
  const x = cell === null ? null : numberOrNull(cell["x"]);
  const y = cell === null ? null : numberOrNull(cell["y"]);
  const [width, height] = [numberOrNull(json["ImageWidth"]), numberOrNull(json["ImageHeight"])];
  return {
    metaDataMode: stringOrNull(json["MetaDataMode"]),
    classes: parseClasses(json["Classes"], path),
    bandNames: names.map((name) => (typeof name === "string" ? name : "")),
    cellSize: x === null || y === null ? null : { x, y, wkid: numberOrNull(reference["latestWkid"]) ?? numberOrNull(reference["wkid"]) },
    boundingBoxes: stringOrNull(json["CropTileMode"])?.toLowerCase() === "bounding_box",
    blackened: json["BlackenAroundFeature"] === true,
    size: width === null || height === null ? null : { width, height },
    geolearn: parseGeoLearn(json["GeoLearn"], path),
  };
}

function parseClasses(value: unknown, path: string): ClassDefinition[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw corruptChips(path, "Classes is not a list");
  const seen = new Set<number>();
  return (value as unknown[]).map((entry, index) => {
    if (!isObject(entry)) throw corruptChips(path, `Classes[${index}] is not an object`);
    const classValue = numberOrNull(entry["Value"]);
    if (classValue === null || !Number.isInteger(classValue)) throw corruptChips(path, `Classes[${index}].Value is not an integer`);
    checkClassValue(classValue, path);
    if (seen.has(classValue)) throw corruptChips(path, `class value ${classValue} occurs twice`);
    seen.add(classValue);
    const name = stringOrNull(entry["Name"]) ?? String(classValue);
    return { value: classValue, name, color: parseColor(entry["Color"]) ?? defaultColor(classValue, index) };
  });
}

/** Checks that labels can hold a value. @throws INVALID_ARGUMENT */
export function checkClassValue(value: number, where: string): void {
  if (Number.isInteger(value) && value >= 0 && value <= MAX_CLASS_VALUE) return;
  throw new GeoLearnError(
    "INVALID_ARGUMENT",
    `${where}: class value ${showValue(value)}; expected an integer from 0 to ${MAX_CLASS_VALUE}.`,
    {
      hint: "Give the classes small integer values of their own, for example in a new field.",
      data: { value, max: MAX_CLASS_VALUE },
    },
  );
}

/** Black for the background, else the palette's. */
export function defaultColor(value: number, index: number): Rgb {
  return value === 0 ? BACKGROUND_COLOR : paletteColor(index);
}

function parseColor(value: unknown): Rgb | null {
  if (!Array.isArray(value) || value.length < 3) return null;
  const [r, g, b] = value as unknown[];
  const channels = [r, g, b].map((channel) => numberOrNull(channel));
  if (channels.some((channel) => channel === null || channel < 0 || channel > 255)) return null;
  return [Math.round(channels[0]!), Math.round(channels[1]!), Math.round(channels[2]!)];
}

function parseGeoLearn(value: unknown, path: string): GeoLearnSection | null {
  if (!isObject(value)) return null;
  const version = numberOrNull(value["FormatVersion"]);
  if (version !== 1)
    throw corruptChips(path, `GeoLearn.FormatVersion is ${showValue(value["FormatVersion"])}; this version of geolearn reads 1`);
  const ignore = numberOrNull(value["IgnoreValue"]);
  if (ignore === null || !Number.isInteger(ignore) || ignore < 0 || ignore > 65535) {
    throw corruptChips(path, "GeoLearn.IgnoreValue is not an integer from 0 to 65535");
  }
  const runs = Array.isArray(value["Runs"]) ? (value["Runs"] as unknown[]) : [];
  return {
    FormatVersion: 1,
    IgnoreValue: ignore,
    LabelSampleType: value["LabelSampleType"] === "uint16" ? "uint16" : "uint8",
    Runs: runs.filter(isObject).map((run) => {
      const stride = Array.isArray(run["Stride"]) ? (run["Stride"] as unknown[]) : [];
      return {
        FirstIndex: numberOrNull(run["FirstIndex"]) ?? 0,
        EndIndex: numberOrNull(run["EndIndex"]) ?? 0,
        Crs: stringOrNull(run["Crs"]),
        Stride: [numberOrNull(stride[0]) ?? 0, numberOrNull(stride[1]) ?? 0],
        Fingerprint: stringOrNull(run["Fingerprint"]) ?? "",
      };
    }),
  };
}
