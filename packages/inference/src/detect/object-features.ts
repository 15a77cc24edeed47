/** Objects of a scene as features on the map. */

import {
  type Affine,
  applyAffine,
  type ClassDefinition,
  type Crs,
  type Feature,
  geometryArea,
  planarArea,
  type Raster,
  windowTransform,
} from "@geolearn/core";
import { toPolygons } from "@geolearn/postprocess";

import type { PixelBox, PixelMask, SceneObject } from "./detection.ts";

type Geometry = NonNullable<Feature["geometry"]>;

/** Where the pixels of a scene lie, and how objects are described. */
export interface ObjectFeatureOptions {
  /** Pixel to world. */
  readonly transform: Affine;
  readonly crs: Crs | null;
  readonly classes: readonly ClassDefinition[];
  /** Tolerance for the borders of outlined objects; see `PolygonizeOptions`. */
  readonly simplify: number | string;
  /** Names the fields `Class` and `Confidence`, as Esri's tools do, instead of `class` and `score`. */
  readonly esriFields: boolean;
}

/** The outline of an object, or its box, with class, score and area; null when a mask simplifies to nothing. */
export async function objectFeature(object: SceneObject, options: ObjectFeatureOptions): Promise<Feature | null> {
  const { transform, crs, classes, esriFields } = options;
  const geometry = object.mask === null ? boxGeometry(object.box, transform) : await maskGeometry(object.mask, options);
  if (geometry === null) return null;
  const { name, value } = classes[object.classIndex]!;
  const area = crs === null ? planarArea(geometry) : geometryArea(geometry, crs);
  const properties = esriFields
    ? { Class: name, Confidence: object.score, value, area }
    : { class: name, value, score: object.score, area };
  return { geometry, properties };
}

/** A box, anticlockwise on the map; of a raster that is turned, a box that is turned. */
function boxGeometry([x0, y0, x1, y1]: PixelBox, transform: Affine): Geometry {
  const corners = [[x0, y0], [x0, y1], [x1, y1], [x1, y0]].map(([x, y]) => [...applyAffine(transform, x!, y!)]); // prettier-ignore
  const [a, b, , d, e] = transform;
  if (a * e - b * d > 0) corners.reverse();
  return { type: "Polygon", coordinates: [[...corners, [...corners[0]!]]] };
}

/** Parts of an outline with less than this share of the largest are specks. */
const SPECK = 0.1;

async function maskGeometry(mask: PixelMask, { transform, crs, simplify }: ObjectFeatureOptions): Promise<Geometry | null> {
  const { features } = await toPolygons(maskRaster(mask, transform, crs), { classes: [1], simplify });
  const largest = Math.max(...features.map(({ properties }) => Number(properties["area"])));
  const parts = features.flatMap(({ geometry, properties }) =>
    geometry?.type === "Polygon" && Number(properties["area"]) >= SPECK * largest ? [geometry.coordinates] : [],
  );
  if (parts.length === 0) return null;
  return parts.length === 1 ? { type: "Polygon", coordinates: parts[0]! } : { type: "MultiPolygon", coordinates: parts };
}

/** A mask as a raster of its own. */
function maskRaster({ left, top, width, height, bits }: PixelMask, scene: Affine, crs: Crs | null): Raster {
  const transform = windowTransform(scene, left, top);
  return {
    ...{ name: "mask", width, height, bands: 1, sampleType: "uint8", transform, crs, nodata: null, alphaBand: null },
    ...{ bandInfo: [{ name: "mask", interpretation: "gray" }], blockWidth: width, blockHeight: height, overviews: [] },
    ...{ colorTable: null, classNames: null },
    read({ row, height: rows } = { col: 0, row: 0, width, height }) {
      const data = bits.subarray(row * width, (row + rows) * width);
      return Promise.resolve({ data, bands: 1, height: rows, width, mask: null, transform });
    },
    close: () => Promise.resolve(),
  };
}
