/** Predictions to map features: outlines of classes, simplified and sieved. Pure geometry. */

export { type PolygonizeOptions, polygonize, toPolygons } from "./polygonize/polygonize.ts";
