/** Reference systems. */

/** A coordinate reference system as geolearn uses it: always x, y order (longitude, latitude for geographic ones). */
export interface Crs {
  /** EPSG code, or null when the system has none. */
  readonly epsg: number | null;
  readonly name: string;
  /** PROJ string that the transformations use. */
  readonly proj: string;
  /** Definition as the file gave it (WKT), when there was one. */
  readonly wkt: string | null;
  /** True when coordinates are degrees. */
  readonly geographic: boolean;
  /** Metres per unit of a projected system (1 for metres, 0.3048006... for US feet); 1 for geographic ones. */
  readonly metresPerUnit: number;
}
