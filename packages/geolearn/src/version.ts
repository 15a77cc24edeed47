/** Version of geolearn. */
export const version = "0.1.0";
