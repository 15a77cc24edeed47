/** Newline-delimited GeoJSON and GeoJSON text sequences (RFC 8142): one feature per line or record. */

import type { Crs } from "../crs/crs.ts";
import { parseCrs } from "../crs/parse.ts";
import { GeoLearnError } from "../errors.ts";
import type { ByteSource } from "./byte-source.ts";
import { featureFromJson } from "./feature-value.ts";
import type { Feature, FeatureStream } from "./features.ts";

const LINE_FEED = 0x0a;
const RECORD_SEPARATOR = 0x1e;
const MAX_RECORD_BYTES = 256 * 1024 * 1024;

/** @throws FEATURES_CORRUPT and GEOMETRY_INVALID, which name the record, while it is read */
export function openGeoJsonLines(source: ByteSource, { crs }: { readonly crs?: Crs | null | undefined }): FeatureStream {
  return {
    name: source.name,
    crs: crs === undefined ? parseCrs(4326) : crs,
    [Symbol.asyncIterator]: () => readLines(source),
  };
}

async function* readLines(source: ByteSource): AsyncGenerator<Feature> {
  let index = 0;
  for await (const text of records(source)) {
    const where = `feature ${index} of ${source.name}`;
    yield featureFromJson(parsed(text, where), where);
    index += 1;
  }
}

/** Texts between separators; records may span lines where RS marks them. */
async function* records(source: ByteSource): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  let separator = LINE_FEED;
  let first = true;

  const text = (): string => {
    const bytes = Buffer.concat(pending);
    pending = [];
    pendingBytes = 0;
    try {
      return decoder.decode(bytes).trim();
    } catch (cause) {
      throw new GeoLearnError("FEATURES_CORRUPT", `${source.name} is not UTF-8.`, { hint: "Save the file as UTF-8.", cause });
    }
  };

  for await (const chunk of source.chunks()) {
    if (first && chunk.length > 0) {
      first = false;
      if (chunk[0] === RECORD_SEPARATOR) separator = RECORD_SEPARATOR;
    }
    let from = 0;
    for (;;) {
      const end = chunk.indexOf(separator, from);
      const piece = chunk.subarray(from, end < 0 ? chunk.length : end);
      pending.push(end < 0 ? piece.slice() : piece);
      pendingBytes += piece.length;
      if (pendingBytes > MAX_RECORD_BYTES) {
        throw new GeoLearnError("LIMIT_EXCEEDED", `${source.name}: one record is larger than ${MAX_RECORD_BYTES >> 20} MB.`, {
          hint: "Is the file one feature per line?",
        });
      }
      if (end < 0) break;
      from = end + 1;
      const record = text();
      if (record !== "") yield record;
    }
  }
  const last = text();
  if (last !== "") yield last;
}

function parsed(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new GeoLearnError("FEATURES_CORRUPT", `${where}: ${cause instanceof Error ? cause.message : String(cause)}.`, {
      hint: "Each line must be one GeoJSON feature.",
      data: { where },
      cause,
    });
  }
}
