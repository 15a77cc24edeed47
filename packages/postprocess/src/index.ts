/** Predictions to map features: outlines of classes, simplified and sieved. Pure geometry. */

export { type PolygonizeOptions, polygonize, toPolygons } from "./polygonize/polygonize.ts";
export { type RegularizeOptions } from "./regularize/options.ts";
export { regularize, regularizeFeatures } from "./regularize/regularize.ts";
export type { RegularizeMethod } from "./regularize/settings.ts";
