/** What a raster profile becomes in the tags of a GeoTIFF. */

import type { Affine } from "../../affine.ts";
import type { Rgb } from "../../classes.ts";
import { crsGeoKeys } from "../../crs/geo-keys.ts";
import { GeoLearnError } from "../../errors.ts";
import type { BandStatistics } from "../../statistics.ts";
import type { RasterProfile } from "../write.ts";
import { type Tag, asciiTag } from "./directory.ts";
import type { Predictor } from "./predictor.ts";
import { sampleBytes } from "../samples.ts";
import { nodataText, sampleFormat } from "./sample-tags.ts";

/** The parts of a profile that do not depend on the size. */
export type TagProfile = Omit<RasterProfile, "width" | "height" | "blockSize" | "overviews" | "level" | "bigTiff">;

/** Tags that describe samples and their meaning; the same in the full image and in its reduced copies. */
export function sampleTags(profile: TagProfile, width: number, height: number, predictor: Predictor): Tag[] {
  const { bands, sampleType, colorTable, compression = "deflate" } = profile;
  const rgb = isRgb(profile);
  const color = rgb ? 3 : 1;
  const tags: Tag[] = [
    size(256, width),
    size(257, height),
    shorts(
      258,
      Array.from({ length: bands }, () => 8 * sampleBytes(sampleType)),
    ),
    shorts(259, [compression === "deflate" ? 8 : 1]),
    shorts(262, [colorTable === undefined ? (rgb ? 2 : 1) : 3]),
    shorts(277, [bands]),
    shorts(284, [1]),
    shorts(
      339,
      Array.from({ length: bands }, () => sampleFormat(sampleType)),
    ),
  ];
  if (predictor !== 1) tags.push(shorts(317, [predictor]));
  if (colorTable !== undefined) tags.push(colorMap(colorTable, sampleType));
  if (bands > color) {
    const extra = Array.from({ length: bands - color }, () => 0);
    if (profile.alpha === true) extra[extra.length - 1] = 2;
    tags.push(shorts(338, extra));
  }
  if (typeof profile.nodata === "number") tags.push(asciiTag(42113, nodataText(sampleType, profile.nodata)));
  return tags;
}

/** Tags that only the full image has: place on earth and GDAL's metadata. */
export function imageTags(profile: TagProfile, statistics: readonly (BandStatistics | null)[], pixels: number): Tag[] {
  const tags = geoTags(profile);
  const xml = metadataXml(profile, statistics, pixels);
  if (xml !== null) tags.push(asciiTag(42112, xml));
  return tags;
}

/** @throws INVALID_ARGUMENT for a profile that no GeoTIFF can hold */
export function checkProfile(profile: TagProfile, width: number, height: number): void {
  const { bands, sampleType, colorTable, nodata } = profile;
  const wrong = (message: string, hint: string): GeoLearnError => new GeoLearnError("INVALID_ARGUMENT", message, { hint });
  for (const [name, value] of Object.entries({ width, height, bands })) {
    if (!Number.isInteger(value) || value < 1)
      throw wrong(`A raster cannot have ${name} ${value}.`, `${name} is an integer of at least 1.`);
  }
  if (bands > 65535) throw wrong(`A GeoTIFF cannot hold ${bands} bands.`, "Write several rasters of at most 65535 bands.");
  if (typeof nodata === "number") nodataText(sampleType, nodata);
  if (profile.bandNames !== undefined && profile.bandNames.length !== bands) {
    throw wrong(`${profile.bandNames.length} band names were given for ${bands} bands.`, "Give one name per band.");
  }
  if (profile.transform !== null && !profile.transform.every(Number.isFinite)) {
    throw wrong(`The transform [${profile.transform.join(", ")}] is not finite.`, "Check the transform.");
  }
  if (profile.alpha === true && bands < 2) throw wrong("A single band cannot be alpha.", "Leave out alpha.");
  if (colorTable === undefined) return;
  if (bands !== 1 || (sampleType !== "uint8" && sampleType !== "uint16")) {
    throw wrong(
      `A colour table needs one band of uint8 or uint16; this raster has ${bands} of ${sampleType}.`,
      "Leave the colour table out.",
    );
  }
  const limit = sampleType === "uint8" ? 255 : 65535;
  for (const [value, color] of colorTable) {
    const fits = Number.isInteger(value) && value >= 0 && value <= limit;
    if (!fits || color.some((part) => !Number.isInteger(part) || part < 0 || part > 255)) {
      throw wrong(`The colour table maps ${value} to [${color.join(", ")}].`, `Values are 0 to ${limit}, colours 0 to 255.`);
    }
  }
}

/** Three or four bands of uint8 show as colours, unless their names say otherwise. */
function isRgb({ bands, sampleType, bandNames, colorTable }: TagProfile): boolean {
  if (sampleType !== "uint8" || (bands !== 3 && bands !== 4) || colorTable !== undefined) return false;
  const names = bandNames?.slice(0, 3).map((name) => name.toLowerCase());
  return names === undefined || ["red,green,blue", "r,g,b"].includes(names.join(","));
}

function colorMap(table: ReadonlyMap<number, Rgb>, sampleType: string): Tag {
  const length = sampleType === "uint8" ? 256 : 65536;
  const values = new Uint16Array(3 * length);
  for (const [value, color] of table) for (let k = 0; k < 3; k++) values[k * length + value] = color[k]! * 257;
  return { id: 320, type: "short", values };
}

function geoTags({ transform, crs }: TagProfile): Tag[] {
  const tags = transform === null ? [] : transformTags(transform);
  if (transform === null && crs === null) return tags;
  const keys = [{ id: 1025, type: "short", value: 1 } as const, ...(crs === null ? [] : crsGeoKeys(crs).keys)].sort((a, b) => a.id - b.id);
  const doubles: number[] = [];
  let text = "";
  const directory = [1, 1, 0, keys.length];
  for (const { id, type, value } of keys) {
    if (type === "short") directory.push(id, 0, 1, Number(value));
    else if (type === "double") {
      const numbers = typeof value === "object" ? value : [Number(value)];
      directory.push(id, 34736, numbers.length, doubles.length);
      doubles.push(...numbers);
    } else {
      const entry = `${String(value)}|`;
      directory.push(id, 34737, byteLength(entry), byteLength(text));
      text += entry;
    }
  }
  tags.push(shorts(34735, directory));
  if (doubles.length > 0) tags.push({ id: 34736, type: "double", values: doubles });
  if (text !== "") tags.push(asciiTag(34737, text));
  return tags;
}

/** North-up rasters by pixel size and corner, all others by the full matrix. */
function transformTags([a, b, c, d, e, f]: Affine): Tag[] {
  if (b === 0 && d === 0 && a > 0 && e < 0) {
    return [
      { id: 33550, type: "double", values: [a, -e, 0] },
      { id: 33922, type: "double", values: [0, 0, 0, c, f, 0] },
    ];
  }
  return [{ id: 34264, type: "double", values: [a, b, 0, c, d, e, 0, f, 0, 0, 0, 0, 0, 0, 0, 1] }];
}

/** GDAL's XML of metadata items. Class names are items of the first band: `CLASS_NAME_<value>`. */
function metadataXml(profile: TagProfile, statistics: readonly (BandStatistics | null)[], pixels: number): string | null {
  const items: string[] = [];
  for (const [name, value] of Object.entries(profile.metadata ?? {})) items.push(item(name, value));
  for (let band = 0; band < profile.bands; band++) {
    const known = statistics[band];
    if (known !== null && known !== undefined) {
      items.push(
        item("STATISTICS_MAXIMUM", String(known.max), band),
        item("STATISTICS_MEAN", String(known.mean), band),
        item("STATISTICS_MINIMUM", String(known.min), band),
        item("STATISTICS_STDDEV", String(known.std), band),
        item("STATISTICS_VALID_PERCENT", String(Number(((100 * known.count) / pixels).toPrecision(4))), band),
      );
    }
    if (band === 0) for (const [value, name] of profile.classNames ?? []) items.push(item(`CLASS_NAME_${value}`, name, band));
    const bandName = profile.bandNames?.[band];
    if (bandName !== undefined) items.push(item("DESCRIPTION", bandName, band, "description"));
  }
  return items.length === 0 ? null : `<GDALMetadata>\n${items.join("")}</GDALMetadata>\n`;
}

function item(name: string, value: string, sample?: number, role?: string): string {
  const place = sample === undefined ? "" : ` sample="${sample}"`;
  // GDAL escapes values twice and reads them so.
  return `  <Item name="${escapeXml(name)}"${place}${role === undefined ? "" : ` role="${role}"`}>${escapeXml(escapeXml(value))}</Item>\n`;
}

function escapeXml(text: string): string {
  // XML 1.0 has no way to write control characters.
  // oxlint-disable-next-line no-control-regex
  const printable = text.replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "\ufffd");
  return printable.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

function shorts(id: number, values: readonly number[]): Tag {
  return { id, type: "short", values };
}

function size(id: number, value: number): Tag {
  return { id, type: value > 65535 ? "long" : "short", values: [value] };
}

const byteLength = (text: string): number => new TextEncoder().encode(text).length;
