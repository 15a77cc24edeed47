/** The manifest inside an ONNX file: everything geolearn needs to use the model again. */

import { GeoLearnError } from "@geolearn/core";
import { z } from "zod";

import type { ModelManifest } from "../manifest.ts";
import { parseJson } from "../package/json.ts";
import { FORMAT_VERSION, checkManifest } from "../package/manifest-schema.ts";

/** Key in `metadata_props`. */
export const OWN_METADATA_KEY = "geolearn";

/** What the file's graph is, beyond the manifest. */
export interface ExportedGraph {
  readonly values: "scores" | "logits";
  /** Pixels cut from each border of the output. */
  readonly margin: number;
  /** Sides of the input are multiples of this. */
  readonly stride: number;
}

const graphSchema = z.object({
  values: z.enum(["scores", "logits"]),
  margin: z.int().min(0).max(65536),
  stride: z.int().min(1).max(65536),
});

/** Text for the key. */
export function ownMetadata(manifest: ModelManifest, graph: ExportedGraph): string {
  return JSON.stringify({ formatVersion: FORMAT_VERSION, graph, manifest });
}

/**
 * The manifest of a file that geolearn wrote; null for others.
 *
 * @throws MODEL_CORRUPT when the key is there and does not hold a sound manifest, UNSUPPORTED_FORMAT for a newer one
 */
export function readOwnMetadata(
  metadata: ReadonlyMap<string, string>,
  source: string,
): { readonly manifest: ModelManifest; readonly graph: ExportedGraph } | null {
  const text = metadata.get(OWN_METADATA_KEY);
  if (text === undefined) return null;
  const value = parseJson(new TextEncoder().encode(text), `the description in ${source}`);
  const { formatVersion, graph, manifest } = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  if (typeof formatVersion === "number" && formatVersion > FORMAT_VERSION) throw newer(source, formatVersion);
  const found = graphSchema.safeParse(graph);
  if (!found.success) {
    throw new GeoLearnError("MODEL_CORRUPT", `The description in ${source} does not say what its graph gives.`, {
      hint: "Export the model again with geolearn.",
    });
  }
  return { manifest: checkManifest(manifest, source), graph: found.data };
}

function newer(source: string, version: number): GeoLearnError {
  return new GeoLearnError(
    "UNSUPPORTED_FORMAT",
    `${source} has a description of format version ${version}; this geolearn reads up to ${FORMAT_VERSION}.`,
    {
      hint: "Update geolearn, then open the model again.",
    },
  );
}
