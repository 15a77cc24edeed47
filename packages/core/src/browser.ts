/** The front door in a browser: everything of index.ts that needs no files and no threads. */

// errors, progress, random numbers
export { GeoLearnError, type ErrorCode, type ErrorDetails } from "./errors.ts";
export { type OptionNames, checkOptionNames, nearestName } from "./options/option-names.ts";
export { type OptionRule, type OptionRules, checkOptions, wrongOption } from "./options/check-options.ts";
export * as rules from "./options/rules.ts";
export type { OnProgress, OnWarning, Progress, Warning, WorkOptions } from "./progress.ts";
export { showValue } from "./show-value.ts";
export { createRng, type Rng, type RngState } from "./rng.ts";

// grids and classes
export {
  type Affine,
  type Bounds,
  applyAffine,
  composeAffine,
  fromGdal,
  gridBounds,
  invertAffine,
  isAxisAligned,
  pixelArea,
  pixelSize,
  windowTransform,
} from "./affine.ts";
export { type Window, blockWindows, intersectWindows } from "./window.ts";
export type { ClassDefinition, CropManner, Rgb, Task } from "./classes.ts";

// reference systems
export type { Crs } from "./crs/crs.ts";
export { parseCrs } from "./crs/parse.ts";
export { crsFromWkt } from "./crs/from-wkt.ts";
export { type CrsToWktOptions, crsToWkt } from "./crs/to-wkt.ts";
export { type GeoKey, crsGeoKeys } from "./crs/geo-keys.ts";
export { sameCrs } from "./crs/same-crs.ts";
export { type TransformOptions, type Transformer, createTransformer, transformCoordinates } from "./crs/transform.ts";
export { geographicCrs, groundResolution, localMetricCrs, metresPerUnit } from "./crs/metres.ts";
export { type Length, parseLength } from "./crs/length.ts";

// rasters in
export { bandPositions, imageBands, isRaster, rasterBounds, requireClassRaster } from "./raster/helpers.ts";
export { type RasterDescription, describeRaster } from "./raster/level-raster.ts";
export { type MosaicOptions, mosaicRasters } from "./raster/mosaic.ts";
export { stackDates, type StackDatesOptions } from "./raster/stack-dates.ts";
export type { OpenRasterOptions, RasterSource } from "./raster/open-raster.ts";
export { openRaster } from "./raster/open-raster.browser.ts";
export { warpRaster, type WarpOptions } from "./raster/warp.ts";
export type { BandInfo, Raster, RasterArray, ReadOptions, Resampling, SampleType, Samples } from "./raster/raster.ts";
export { createSamples, sampleBytes, sampleRange, samplesFrom } from "./raster/samples.ts";

// rasters out
export type { RasterProfile } from "./raster/write.ts";
export { type GeoTiffImage, type GeoTiffProfile, encodeGeoTiff } from "./raster/encode-geotiff.ts";

// features
export { type RasterizeOptions, type Shape, rasterize } from "./features/rasterize.ts";
export type { Feature, FeatureStream, Features, FieldValue } from "./features/features.ts";
export { placeFeatures, reprojectFeatures } from "./features/reproject.ts";
export { bringAround, cutAtAntimeridian } from "./features/antimeridian.ts";
export { classFieldWarning } from "./features/class-fields.ts";
export { boundsMeet, geometryBounds, unionBounds } from "./features/bounds.ts";
export { geometryArea, planarArea } from "./features/area.ts";
export { toEqualArea } from "./features/equal-area.ts";
export { type Surface, sharedArea, surfaceOf } from "./features/surface.ts";
export { type SurfaceOverlap, surfaceOverlaps } from "./features/surface-overlaps.ts";
export { type Validity, requireValid, validGeometry } from "./features/valid.ts";
export { rightHanded, ringArea } from "./features/winding.ts";

// boxes and masks of objects
export { type BoxArray, boxArea, boxCoverage, boxIou, boxIous } from "./boxes/boxes.ts";
export { type NmsOptions, nms } from "./boxes/nms.ts";
export { type FuseBoxesOptions, type ScoredBoxes, fuseBoxes } from "./boxes/fuse-boxes.ts";
export {
  type RleMask,
  decodeMask,
  encodeMask,
  maskArea,
  maskBounds,
  maskFromText,
  maskIntersection,
  maskIou,
  maskToText,
} from "./boxes/rle-mask.ts";
export { type MaskGrid, type MaskWindow, encodeWindow, pasteMask } from "./boxes/mask-window.ts";

// statistics and metrics
export {
  type BandStatistics,
  collectStatistics,
  rasterStatistics,
  type StatisticsCollector,
  type StatisticsOptions,
} from "./statistics.ts";
export { type ConfusionMatrix, countPixels, createConfusionMatrix, mergeConfusion } from "./metrics/confusion.ts";
export { type ClassMetrics, type PixelMetrics, pixelMetrics } from "./metrics/pixel-metrics.ts";
export { type PrecisionRecall, precisionRecall } from "./metrics/precision-recall.ts";
export { cohenKappa } from "./metrics/kappa.ts";
export { topKAccuracy } from "./metrics/top-k.ts";
export { type TileClassMetrics, type TileMetrics, multiLabelMetrics, tileMetrics } from "./metrics/tile-metrics.ts";
export type { ImageObjects, IouOf, PredictedObjects, TruthObjects } from "./metrics/objects.ts";
export {
  type CocoClassMetrics,
  type CocoFigures,
  type CocoCurve,
  type CocoMetrics,
  type CocoOptions,
  CocoEvaluation,
  cocoMetrics,
} from "./metrics/coco-metrics.ts";
export { type VocAp, type VocApOptions, vocAp } from "./metrics/voc-ap.ts";
export { type ApMethod, averagePrecision, precisionRecallCurve } from "./metrics/average-precision.ts";
export {
  type CountDetectionsOptions,
  type DetectionCounts,
  type DetectionMetrics,
  countDetections,
  countsOf,
  createDetectionConfusion,
  detectionCounts,
} from "./metrics/detection-confusion.ts";

// images
export { type PixelImage, encodePng } from "./image/png.ts";
export {
  type ClassColorOptions,
  type RgbaImage,
  createImage,
  overlayClasses,
  pasteImage,
  renderClasses,
  scaleNearest,
  tileImages,
} from "./image/picture.ts";
export { type BandArray, type RenderBandsOptions, bandRanges, renderBands } from "./image/render-bands.ts";

// archives
export { type FileKind, fileKind } from "./files/file-kind.ts";
export type { ReadZipOptions, ZipArchive, ZipEntry, ZipLimits } from "./files/zip-archive.ts";
export type { ZipInput } from "./files/zip-parts.ts";
export { readZip, writeZip } from "./files/zip.browser.ts";
