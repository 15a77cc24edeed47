/** Features with the next verbs attached. */

import {
  type Crs,
  type Feature,
  type Features,
  type FeatureWriteOptions,
  parseCrs,
  readFeatures,
  reprojectFeatures,
  writeFeatures,
} from "@geolearn/core";

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

  /** Reads a GeoJSON, newline GeoJSON, GeoPackage or Shapefile. */
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

  /** Writes the layer; the ending chooses the format: .geojson (in EPSG:4326), .geojsonl, .gpkg, .shp, .zip. */
  async save(path: string, options: Omit<FeatureWriteOptions, "crs"> = {}): Promise<void> {
    await writeFeatures(this.features, path, { ...options, crs: this.crs });
  }
}
