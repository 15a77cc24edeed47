/** Reads the XML of a VRT. */

import { XMLParser, XMLValidator } from "fast-xml-parser";

import type { Rgb } from "../classes.ts";
import { GeoLearnError } from "../errors.ts";
import type { Window } from "../window.ts";
import type { BandInfo, Resampling, SampleType } from "./raster.ts";
import { parseNodata } from "./tiff/nodata.ts";

/** One source of a band: pixels of a file and where they go. */
export interface VrtSource {
  readonly file: string;
  /** Band of the file, from 0. */
  readonly band: number;
  /** True when the source is the validity of that band, not its pixels. */
  readonly ofMask: boolean;
  /** Pixels of the file; fractions allowed; null for all. */
  readonly source: Window | null;
  /** Pixels of the VRT; fractions allowed. */
  readonly target: Window;
  readonly nodata: number | null;
  readonly scale: number;
  readonly offset: number;
  /** True when pixels the file calls invalid are left out. */
  readonly useMask: boolean;
  readonly resampling: Resampling;
}

/** One band. */
export interface VrtBand {
  readonly sampleType: SampleType;
  readonly nodata: number | null;
  readonly interpretation: BandInfo["interpretation"];
  readonly description: string | null;
  readonly colorTable: ReadonlyMap<number, Rgb> | null;
  readonly sources: readonly VrtSource[];
}

/** The whole document. */
export interface VrtDocument {
  readonly width: number;
  readonly height: number;
  /** In GDAL's order, or null. */
  readonly geoTransform: readonly [number, number, number, number, number, number] | null;
  readonly srs: string | null;
  readonly bands: readonly VrtBand[];
  readonly maskBand: VrtBand | null;
}

type Node = Readonly<Record<string, unknown>>;

const sampleTypes: Readonly<Record<string, SampleType>> = {
  Byte: "uint8",
  Int8: "int8",
  UInt16: "uint16",
  Int16: "int16",
  UInt32: "uint32",
  Int32: "int32",
  Float32: "float32",
  Float64: "float64",
};

const resamplings: Readonly<Record<string, Resampling>> = {
  near: "nearest",
  nearest: "nearest",
  nearestneighbour: "nearest",
  bilinear: "bilinear",
  cubic: "cubic",
  average: "average",
  mode: "mode",
};

const interpretations = new Set<string>(["gray", "palette", "red", "green", "blue", "alpha", "nir"]);

/** Reads a VRT. @throws RASTER_CORRUPT, RASTER_UNSUPPORTED */
export function parseVrt(xml: string, name: string): VrtDocument {
  const reader = new VrtReader(name);
  return reader.document(xml);
}

class VrtReader {
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  document(xml: string): VrtDocument {
    if (/<!(DOCTYPE|ENTITY)/i.test(xml)) throw this.#corrupt("it carries a document type");
    if (XMLValidator.validate(xml) !== true) throw this.#corrupt("its XML is not well-formed");
    const parser = new XMLParser({
      ignoreAttributes: false,
      attributeNamePrefix: "@",
      parseTagValue: false,
      parseAttributeValue: false,
      isArray: (tag) => ["VRTRasterBand", "SimpleSource", "ComplexSource", "Entry"].includes(tag),
    });
    const root = node((parser.parse(xml) as Node)["VRTDataset"]);
    if (root["@subClass"] !== undefined) throw this.#unsupported(`is a ${text(root["@subClass"])}`);
    const width = this.#side(root["@rasterXSize"]);
    const height = this.#side(root["@rasterYSize"]);
    const bands = list(root["VRTRasterBand"]).map((band) => this.#band(band, width, height));
    if (bands.length === 0) throw this.#corrupt("it has no bands");
    if (bands.some(({ sampleType }) => sampleType !== bands[0]!.sampleType)) throw this.#unsupported("has bands of different sample types");
    const mask = list(node(root["MaskBand"])["VRTRasterBand"])[0];
    const numbers = text(root["GeoTransform"])?.split(",").map(Number);
    const geoTransform =
      numbers?.length === 6 && numbers.every(Number.isFinite) ? (numbers as unknown as VrtDocument["geoTransform"]) : null;
    return {
      width,
      height,
      geoTransform,
      srs: text(root["SRS"]),
      bands,
      maskBand: mask === undefined ? null : this.#band(mask, width, height),
    };
  }

  #band(band: Node, width: number, height: number): VrtBand {
    if (band["@subClass"] !== undefined && band["@subClass"] !== "VRTSourcedRasterBand")
      throw this.#unsupported(`has a ${text(band["@subClass"])}`);
    for (const kind of ["KernelFilteredSource", "AveragedSource", "NoDataFromMaskSource", "ArraySource"]) {
      if (band[kind] !== undefined) throw this.#unsupported(`has a ${kind}`);
    }
    const dataType = text(band["@dataType"]) ?? "Byte";
    const sampleType = sampleTypes[dataType];
    if (sampleType === undefined) throw this.#unsupported(`has samples of type ${dataType}`);
    const color = (text(band["ColorInterp"]) ?? "undefined").toLowerCase();
    // sources are painted in the order of the document; both kinds never stand in one band of gdalbuildvrt
    const sources = [
      ...list(band["SimpleSource"]).map((source) => this.#source(source, sampleType, width, height, false)),
      ...list(band["ComplexSource"]).map((source) => this.#source(source, sampleType, width, height, true)),
    ];
    if (band["SimpleSource"] !== undefined && band["ComplexSource"] !== undefined)
      throw this.#unsupported("mixes simple and complex sources in a band");
    return {
      sampleType,
      nodata: parseNodata(text(band["NoDataValue"]), sampleType),
      interpretation: (interpretations.has(color) ? color : "undefined") as BandInfo["interpretation"],
      description: text(band["Description"]) ?? text(band["@Description"]),
      colorTable: colorTable(band),
      sources,
    };
  }

  #source(source: Node, sampleType: SampleType, width: number, height: number, complex: boolean): VrtSource {
    for (const kind of ["LUT", "ColorTableComponent", "Exponent", "OpenOptions"]) {
      if (source[kind] !== undefined) throw this.#unsupported(`has a source with ${kind}`);
    }
    const file = text(source["SourceFilename"]) ?? text(node(source["SourceFilename"])["#text"]);
    if (file === null || file.trim() === "") throw this.#corrupt("a source names no file");
    const bandText = text(source["SourceBand"]) ?? "1";
    const found = /^(mask,)?(\d+)$/.exec(bandText);
    if (found === null) throw this.#corrupt(`a source asks for band "${bandText}"`);
    const resampling = resamplings[(text(source["@resampling"]) ?? "nearest").toLowerCase()];
    if (resampling === undefined) throw this.#unsupported(`resamples by ${text(source["@resampling"])}`);
    return {
      file: file.trim(),
      band: Number(found[2]) - 1,
      ofMask: found[1] !== undefined,
      source: this.#rectangle(source["SrcRect"]),
      target: this.#rectangle(source["DstRect"]) ?? { col: 0, row: 0, width, height },
      nodata: complex ? parseNodata(text(source["NODATA"]), sampleType) : null,
      scale: complex ? Number(text(source["ScaleRatio"]) ?? 1) : 1,
      offset: complex ? Number(text(source["ScaleOffset"]) ?? 0) : 0,
      useMask: (text(source["UseMaskBand"]) ?? "false") === "true",
      resampling,
    };
  }

  #rectangle(value: unknown): Window | null {
    if (value === undefined) return null;
    const rectangle = node(value);
    const [col, row, width, height] = ["@xOff", "@yOff", "@xSize", "@ySize"].map((key) => Number(rectangle[key])) as [
      number,
      number,
      number,
      number,
    ];
    if (![col, row, width, height].every(Number.isFinite) || width <= 0 || height <= 0) throw this.#corrupt("a source has no rectangle");
    return { col, row, width, height };
  }

  #side(value: unknown): number {
    const side = Number(value);
    if (!Number.isInteger(side) || side < 1 || side > 2 ** 31 - 1) throw this.#corrupt(`its size is ${String(value)}`);
    return side;
  }

  #corrupt(what: string): GeoLearnError {
    return new GeoLearnError("RASTER_CORRUPT", `${this.#name} is no usable VRT: ${what}.`, { hint: "Build it again with gdalbuildvrt." });
  }

  #unsupported(what: string): GeoLearnError {
    return new GeoLearnError("RASTER_UNSUPPORTED", `${this.#name} ${what}, which geolearn does not read in a VRT.`, {
      hint: "Make it a file: gdal_translate -of COG INPUT.vrt OUTPUT.tif",
    });
  }
}

function colorTable(band: Node): ReadonlyMap<number, Rgb> | null {
  const entries = list(node(band["ColorTable"])["Entry"]);
  if (entries.length === 0) return null;
  return new Map(entries.map((entry, i): [number, Rgb] => [i, [Number(entry["@c1"]), Number(entry["@c2"]), Number(entry["@c3"])]]));
}

function node(value: unknown): Node {
  return typeof value === "object" && value !== null ? (value as Node) : {};
}

function list(value: unknown): readonly Node[] {
  return Array.isArray(value) ? value.map(node) : [];
}

/** The text of an element or attribute; elements with attributes keep theirs under #text. */
function text(value: unknown): string | null {
  if (typeof value === "string") return value;
  const inner = node(value)["#text"];
  return typeof inner === "string" ? inner : null;
}
