/**
 * Virtual rasters (VRT) as `gdalbuildvrt` and `gdal_translate` write them: bands made of simple and complex sources that are
 * local files. Warped, derived and remote ones are refused.
 */

import { dirname, isAbsolute, resolve } from "node:path";

import { type Affine, fromGdal } from "../affine.ts";
import { parseCrs } from "../crs/parse.ts";
import { GeoLearnError } from "../errors.ts";
import { intersectWindows, type Window } from "../window.ts";
import { clampTo, createSamples, isFloat } from "./samples.ts";
import { levelRaster } from "./level-raster.ts";
import type { Level } from "./level.ts";
import type { Raster, Samples, SampleType } from "./raster.ts";
import type { ByteSource } from "./sources/byte-source.ts";
import type { OpenTiffOptions } from "./tiff/tiff-raster.ts";
import { nonZero, pixelsWithValue } from "./validity.ts";
import { parseVrt, type VrtBand, type VrtSource } from "./vrt-document.ts";
import { warpRaster } from "./warp.ts";

/** A list of files takes a few hundred bytes each. */
const MAX_BYTES = 64 * 1024 * 1024;

/** True for the first bytes of a VRT. */
export function looksLikeVrt(head: Uint8Array): boolean {
  return /^\s*(<\?xml[^>]*>\s*)?<VRTDataset/.test(
    Buffer.from(head)
      .toString("latin1")
      .replace(/^\xef\xbb\xbf/, ""),
  );
}

/**
 * Opens a VRT. Its files are opened when first needed.
 *
 * @param path where the VRT lies, or null for bytes in memory, which may name absolute paths only
 * @throws RASTER_CORRUPT, RASTER_UNSUPPORTED, NETWORK_NOT_ALLOWED
 */
export async function openVrt(
  source: ByteSource,
  options: OpenTiffOptions,
  path: string | null,
  open: (path: string) => Promise<Raster>,
): Promise<Raster> {
  const { name } = source;
  if (source.size > MAX_BYTES) {
    throw new GeoLearnError("LIMIT_EXCEEDED", `${name} is a VRT of ${source.size} bytes.`, { hint: "Build one with fewer files." });
  }
  const text = Buffer.from(await source.read(0, source.size, options.signal)).toString("utf8");
  await source.close();
  const document = parseVrt(text, name);
  const files = new Map<string, Promise<Raster>>();
  const openOnce = (file: string): Promise<Raster> => {
    const known = files.get(file) ?? openReference(file, path, name, open);
    files.set(file, known);
    return known;
  };
  const { width, height, bands, maskBand } = document;
  const alpha = bands.findIndex(({ interpretation }) => interpretation === "alpha");
  const nodata = bands[0]!.nodata;
  const sampleType = bands[0]!.sampleType;
  for (const band of [...bands, ...(maskBand === null ? [] : [maskBand])])
    for (const { file } of band.sources) resolveReference(file, path, name);
  const level = vrtLevel({ width, height, bands, maskBand, alpha, sampleType, nodata }, openOnce);
  return levelRaster(
    {
      name,
      width,
      height,
      bands: bands.length,
      sampleType,
      transform: document.geoTransform === null ? null : fromGdal(document.geoTransform),
      crs: options.crs ?? (document.srs === null ? null : parseCrs(document.srs)),
      nodata,
      bandInfo: bands.map(({ description, interpretation }, i) => ({ name: description ?? `band ${i + 1}`, interpretation })),
      alphaBand: alpha < 0 ? null : alpha,
      blockWidth: Math.min(512, width),
      blockHeight: Math.min(512, height),
      colorTable: bands.length === 1 ? bands[0]!.colorTable : null,
      classNames: null,
    },
    [level],
    async () => {
      for (const file of files.values()) await file.then((raster) => raster.close()).catch(() => undefined);
    },
  );
}

interface Layout {
  readonly width: number;
  readonly height: number;
  readonly bands: readonly VrtBand[];
  readonly maskBand: VrtBand | null;
  readonly alpha: number;
  readonly sampleType: SampleType;
  readonly nodata: number | null;
}

function vrtLevel(layout: Layout, open: (file: string) => Promise<Raster>): Level {
  const { width, height, bands, maskBand, alpha, sampleType, nodata } = layout;
  const readBand = (band: VrtBand, window: Window, signal?: AbortSignal): Promise<Samples> => paintBand(band, layout, open, window, signal);
  return {
    width,
    height,
    async read(window, wanted, signal) {
      const pixels = window.width * window.height;
      const data = createSamples(sampleType, wanted.length * pixels);
      for (const [i, band] of wanted.entries()) data.set(await readBand(bands[band]!, window, signal), i * pixels);
      if (maskBand !== null) return { data, mask: nonZero(await readBand(maskBand, window, signal)) };
      if (alpha >= 0) return { data, mask: nonZero(await readBand(bands[alpha]!, window, signal)) };
      let mask = pixelsWithValue(data, pixels, sampleType, nodata, null);
      for (let band = 0; band < bands.length && mask !== null; band++) {
        if (wanted.includes(band)) continue;
        mask = pixelsWithValue(await readBand(bands[band]!, window, signal), pixels, sampleType, nodata, mask);
      }
      return { data, mask };
    },
  };
}

/** Paints the sources of a band in their order: later ones cover earlier ones. */
async function paintBand(
  band: VrtBand,
  layout: Layout,
  open: (file: string) => Promise<Raster>,
  window: Window,
  signal?: AbortSignal,
): Promise<Samples> {
  const out = createSamples(band.sampleType, window.width * window.height);
  if (band.nodata !== null && band.nodata !== 0) out.fill(band.nodata);
  for (const source of band.sources) {
    const target = intersectWindows(window, outerWindow(source.target));
    if (target === null) continue;
    const raster = await open(source.file);
    const read = await readSource(source, raster, layout, target, signal);
    paint(read, source, band, target, window, out);
  }
  return out;
}

/** The pixels of a source for a window of the VRT; directly where they fit, else resampled. */
async function readSource(
  { source, target: place, band, resampling, useMask, ofMask }: VrtSource,
  raster: Raster,
  { width, height }: Layout,
  target: Window,
  signal?: AbortSignal,
): Promise<{ data: Samples; mask: Uint8Array | null }> {
  if (band < 0 || band >= raster.bands) {
    throw new GeoLearnError("RASTER_CORRUPT", `A VRT asks for band ${band + 1} of ${raster.name}, which has ${raster.bands}.`, {
      hint: "Build the VRT again.",
    });
  }
  const from = source ?? { col: 0, row: 0, width: raster.width, height: raster.height };
  const scaleX = from.width / place.width;
  const scaleY = from.height / place.height;
  const col = from.col + (target.col - place.col) * scaleX;
  const row = from.row + (target.row - place.row) * scaleY;
  const options = { bands: [band], ...(signal === undefined ? {} : { signal }) };
  const direct = scaleX === 1 && scaleY === 1 && Number.isInteger(col) && Number.isInteger(row);
  const grid: Affine = [scaleX, 0, from.col - place.col * scaleX, 0, scaleY, from.row - place.row * scaleY];
  const inPixels: Raster = { ...raster, transform: [1, 0, 0, 0, 1, 0], crs: null };
  // without interpolation GDAL copies whatever the file holds, missing values included
  const plain: Raster = {
    ...inPixels,
    nodata: null,
    read: async (...request) => ({ ...(await raster.read(...request)), mask: null }),
  };
  const view = direct
    ? raster
    : warpRaster(resampling === "nearest" && !useMask ? plain : inPixels, { crs: null, transform: grid, width, height, resampling });
  const window = direct ? { ...target, col, row } : target;
  const { data, mask } = await view.read(window, options);
  const pixels = target.width * target.height;
  if (ofMask) return { data: Uint8Array.from(mask ?? new Uint8Array(pixels).fill(1), (value) => value * 255), mask: null };
  const outside =
    direct && col >= 0 && row >= 0 && col + target.width <= raster.width && row + target.height <= raster.height ? null : mask;
  return { data, mask: useMask ? mask : outside };
}

function paint(
  { data, mask }: { data: Samples; mask: Uint8Array | null },
  { nodata, scale, offset }: VrtSource,
  band: VrtBand,
  target: Window,
  window: Window,
  out: Samples,
): void {
  const plain = scale === 1 && offset === 0;
  for (let y = 0, from = 0; y < target.height; y++) {
    let to = (target.row - window.row + y) * window.width + target.col - window.col;
    for (let x = 0; x < target.width; x++, from++, to++) {
      const value = data[from]!;
      if ((mask !== null && mask[from] === 0) || value === nodata || (Number.isNaN(nodata) && Number.isNaN(value))) continue;
      out[to] = plain
        ? isFloat(band.sampleType)
          ? value
          : clampTo(band.sampleType, value)
        : clampTo(band.sampleType, value * scale + offset);
    }
  }
}

function outerWindow({ col, row, width, height }: Window): Window {
  const left = Math.floor(col + 1e-9);
  const top = Math.floor(row + 1e-9);
  return { col: left, row: top, width: Math.ceil(col + width - 1e-9) - left, height: Math.ceil(row + height - 1e-9) - top };
}

async function openReference(file: string, path: string | null, name: string, open: (path: string) => Promise<Raster>): Promise<Raster> {
  const found = resolveReference(file, path, name);
  depth++;
  try {
    if (depth > 8 || found === (path === null ? null : resolve(path))) {
      throw new GeoLearnError("RASTER_CORRUPT", `${name} refers to itself.`, { hint: "Build the VRT again." });
    }
    return await open(found);
  } finally {
    depth--;
  }
}

/** How many VRTs are being opened inside one another. */
let depth = 0;

/** Only local files: no addresses, no virtual file systems, no driver prefixes, no inline documents. */
function resolveReference(file: string, path: string | null, name: string): string {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(file) || /^\/?vsi/i.test(file)) {
    throw new GeoLearnError("NETWORK_NOT_ALLOWED", `${name} refers to ${file.replace(/[?#].*$/, "")}, which is not a local file.`, {
      hint: "Download the files and build the VRT over them.",
    });
  }
  if (/^\s*</.test(file) || /^[a-z0-9_]{2,}:/i.test(file)) {
    throw new GeoLearnError("RASTER_UNSUPPORTED", `${name} refers to "${file.slice(0, 80)}", which is not a plain file.`, {
      hint: "Make it a file: gdal_translate -of COG INPUT OUTPUT.tif",
    });
  }
  if (isAbsolute(file)) return file;
  if (path === null) {
    throw new GeoLearnError("FILE_NOT_FOUND", `A VRT given as bytes refers to ${file}, which is relative to nothing.`, {
      hint: "Open the VRT by its path.",
    });
  }
  return resolve(dirname(path), file);
}
