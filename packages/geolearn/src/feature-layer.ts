/** Features with the next verbs attached. */

import {
  type Crs,
  type Feature,
  type Features,
  type FeatureWriteOptions,
  FEATURE_WRITE_RULES,
  checkOptions,
  cutAtAntimeridian,
  parseCrs,
  readFeatures,
  reprojectFeatures,
  writeFeatures,
} from "@geolearn/core";
import { type RegularizeOptions, regularizeFeatures } from "@geolearn/postprocess";
import type { FeatureCollection, Geometry, Polygon } from "geojson";

/** How a layer is written; it knows its own system. */
type SaveOptions = Omit<FeatureWriteOptions, "crs">;

const { crs: _crs, ...SAVE_RULES } = FEATURE_WRITE_RULES;

/**
 * Features in memory: what `toPolygons` gives. Each method returns a new layer; the old one stays as it was.
 *
 * @example
 * const layer = await FeatureLayer.open("footprints.gpkg");
 * await layer.reproject(4326).save("footprints.geojson");
 */
export class FeatureLayer implements Features {
  readonly name: string;
  readonly crs: Crs | null;
  readonly features: readonly Feature[];

  constructor({ name, crs, features }: Features) {
    this.name = name;
    this.crs = crs;
    this.features = features;
  }

  /** Reads a GeoJSON, newline GeoJSON, GeoPackage, FlatGeobuf, GeoParquet or Shapefile. */
  static async open(path: string): Promise<FeatureLayer> {
    return new FeatureLayer(await readFeatures(path));
  }

  /** Number of features. */
  get count(): number {
    return this.features.length;
  }

  /** The same features in another reference system. @throws CRS_MISSING when the layer names none. */
  reproject(crs: number | string | Crs): FeatureLayer {
    return new FeatureLayer(reprojectFeatures(this, parseCrs(crs)));
  }

  /** The features for which the test holds. */
  filter(keep: (feature: Feature) => boolean): FeatureLayer {
    return new FeatureLayer({ ...this, features: this.features.filter(keep) });
  }

  /**
   * The features grown by a distance on the ground, or shrunk by a negative one; what vanishes is left out. Made by `@turf/buffer`
   * in a projection around each feature, with arcs of 64 steps a circle: areas are right to about 1 %.
   *
   * @param metres on the ground
   * @throws CRS_MISSING when the layer names no reference system
   */
  async buffer(metres: number): Promise<FeatureLayer> {
    const { buffer } = await import("@turf/buffer");
    const geographic = this.reproject(4326);
    const grown = geographic.features.flatMap((feature): Feature[] => {
      if (feature.geometry === null) return [];
      const result = buffer({ type: "Feature", geometry: feature.geometry as Polygon, properties: {} }, metres, {
        units: "meters",
        steps: 16,
      });
      return result === undefined ? [] : [{ ...feature, geometry: result.geometry }];
    });
    const layer = new FeatureLayer({ ...geographic, features: grown });
    return this.crs === null ? layer : layer.reproject(this.crs);
  }

  /**
   * Building footprints with straight walls at right angles (or by another `method`), within the tolerance of the former outlines.
   * Each gets `STATUS`: 0 done, 1 without a solution and left as it was.
   *
   * @throws INVALID_ARGUMENT; GEOMETRY_INVALID for a layer of points or lines
   * @example
   * await footprints.regularize({ method: "rightAngles", tolerance: 1 }).save("footprints.gpkg");
   */
  regularize(options: RegularizeOptions): FeatureLayer {
    return new FeatureLayer(regularizeFeatures(this, options));
  }

  /** The layer as RFC 7946 GeoJSON: longitude and latitude in WGS 84, cut at 180 degrees, for web maps and other libraries. */
  toGeoJson(): FeatureCollection {
    return {
      type: "FeatureCollection",
      features: this.reproject(4326).features.map(({ id, geometry, properties }) => ({
        type: "Feature",
        ...(id === undefined ? {} : { id }),
        geometry: (geometry === null ? null : cutAtAntimeridian(geometry)) as Geometry,
        properties: { ...properties },
      })),
    };
  }

  /** Writes the layer; the ending chooses the format: .geojson (in EPSG:4326), .geojsonl, .gpkg, .fgb, .parquet, .shp, .zip. */
  async save(path: string, options: SaveOptions = {}): Promise<void> {
    checkOptions<SaveOptions>(options, SAVE_RULES, "save()");
    await writeFeatures(this.features, path, { ...options, crs: this.crs });
  }
}
