/** What a file is that was given in the wrong place; for messages. */

/** `"weights"` are PyTorch's; `"model"` is a network in any other file; `"image"` is one of a format that is not read. */
export type FileKind = "vector" | "weights" | "model" | "image" | "archive" | "text";

const ENDINGS: readonly (readonly [FileKind, RegExp])[] = [
  ["vector", /\.(geojson|geojsonl|gpkg|shp|shx|dbf|fgb|parquet|geoparquet|kml|kmz|gml|gdb)$/i],
  ["weights", /\.(pth|pt|ckpt)$/i],
  ["model", /\.(onnx|safetensors|dlpk|emd|keras|tflite)$/i],
  [
    "image",
    /\.(jp2|j2k|img|ecw|sid|nc|hdf|he5|grib2?|grb2?|asc|grd|xyz|bil|bip|bsq|dat|dem|dt[012]|hgt|ntf|nitf|mbtiles|webp|gif|bmp|heic|avif)$/i,
  ],
];

const BEGINNINGS: readonly (readonly [FileKind, RegExp])[] = [
  ["weights", /^\x80[\x02-\x05]/], // a pickle
  ["weights", /^PK\x03\x04[^]{26}[^/]+\/(data\.pkl|version|byteorder|\.format_version)/],
  ["model", /^\x08[\x01-\x20][\x12\x1a:B]/], // ONNX: the version of its format, then the producer, the graph or an operator set
  ["model", /^[^]{8}\{"/], // safetensors: the length of its header, then that
  ["vector", /^(SQLite format 3\0|fgb\x03|PAR1|\0\0\x27\x0a)/],
  ["vector", /^\s*\{[^]*"type"\s*:\s*"(Feature|FeatureCollection|GeometryCollection|(Multi)?(Point|LineString|Polygon))"/],
  ["vector", /<(kml|gml:|wfs:)/],
  ["image", /^(\0\0\0\x0cjP|\xffO\xffQ|EHFA_HEADER|CDF[\x01\x02]|\x89HDF|\x0e\x03\x13\x01|GRIB|NITF|GIF8|BM[^]{4}\0\0\0\0|RIFF[^]{4}WEBP)/],
  ["archive", /^(PK\x03\x04|\x1f\x8b|7z\xbc\xaf|BZh|Rar!)/],
];

/** Tells what a file is by its first bytes, or by its ending where these say little; null where neither does. */
export function fileKind(head: Uint8Array, name: string): FileKind | null {
  const begin = String.fromCharCode(...head.subarray(0, 512));
  const byEnding = ENDINGS.find(([, ending]) => ending.test(name))?.[0] ?? null;
  const byBytes = BEGINNINGS.find(([, beginning]) => beginning.test(begin))?.[0] ?? null;
  // an archive may be a model package, and GeoPackages and MBTiles begin alike
  if (byBytes !== null && (byBytes === "weights" || byBytes === "model" || byEnding === null)) return byBytes;
  return byEnding ?? (isText(head) ? "text" : null);
}

function isText(head: Uint8Array): boolean {
  if (head.length === 0 || head.some((byte) => byte < 32 && byte !== 9 && byte !== 10 && byte !== 13)) return false;
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(head, { stream: true }); // a character may be cut at the end
    return true;
  } catch {
    return false;
  }
}
