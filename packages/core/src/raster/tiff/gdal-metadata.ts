/** GDAL's metadata tag: names, colour meanings, scales and offsets of bands, and items of the file. */

import { XMLParser, XMLValidator } from "fast-xml-parser";

/** One item of the metadata. */
export interface GdalItem {
  readonly name: string;
  /** Band from 0, or null for the whole file. */
  readonly band: number | null;
  readonly role: string | null;
  readonly domain: string | null;
  readonly value: string;
}

/** The items of a GDAL_METADATA text; none when it is not well-formed or carries a document type. */
export function parseGdalMetadata(xml: string | null): readonly GdalItem[] {
  if (xml === null || /<!(DOCTYPE|ENTITY)/i.test(xml) || XMLValidator.validate(xml) !== true) return [];
  const parser = new XMLParser({
    ignoreAttributes: false,
    attributeNamePrefix: "@",
    parseTagValue: false,
    parseAttributeValue: false,
    trimValues: false,
    isArray: (name) => name === "Item",
  });
  const root = asRecord(asRecord(parser.parse(xml))["GDALMetadata"]);
  const items = root["Item"];
  if (!Array.isArray(items)) return [];
  return items.map((item: unknown): GdalItem => {
    const record = asRecord(item);
    const sample = record["@sample"];
    return {
      name: asText(record["@name"]) ?? "",
      band: sample === undefined ? null : Number(sample),
      role: asText(record["@role"]),
      domain: asText(record["@domain"]),
      value: unescapeXml(typeof item === "string" ? item : (asText(record["#text"]) ?? "")),
    };
  });
}

/** GDAL escapes values twice; the parser has undone it once. */
function unescapeXml(text: string): string {
  const plain = text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&quot;", '"').replaceAll("&apos;", "'");
  return plain.replaceAll("&amp;", "&");
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function asText(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
