/** The parts of a `.dlpk` that every reader needs: the archive, its one `.emd`, and what that says. */

import { fileKind, GeoLearnError, readZip, type ZipArchive } from "@geolearn/core";

import { parseJson } from "./json.ts";

/** A package whose archive and `.emd` were read; nothing is known yet of who made it. */
export interface OpenedPackage {
  /** For messages. */
  readonly name: string;
  readonly archive: ZipArchive;
  /** Folder of the `.emd` inside the archive, `""` or ending in `/`. */
  readonly folder: string;
  /** Name of the `.emd` without folder and ending. */
  readonly stem: string;
  readonly emd: Readonly<Record<string, unknown>>;
}

const MAX_EMD_BYTES = 16 * 1024 * 1024;

/**
 * Opens a package in memory. The archive policy of `readZip` applies: nothing is extracted, names that leave the
 * archive, links, duplicates, bombs and the like are refused.
 *
 * @throws FILE_NOT_FOUND, MODEL_CORRUPT, LIMIT_EXCEEDED; UNSUPPORTED_FORMAT for weights of PyTorch and ONNX files
 */
export async function openPackage(source: string | Uint8Array): Promise<OpenedPackage> {
  const name = typeof source === "string" ? source : "the model package";
  const archive = await readZip(source, { code: "MODEL_CORRUPT", name }).catch((error: unknown) => {
    throw (GeoLearnError.is(error, "MODEL_CORRUPT") ? noPackage(source, name) : null) ?? error;
  });
  const candidates = archive.entries.filter((entry) => /\.emd$/i.test(entry.name) && !entry.name.startsWith("__MACOSX/"));
  const [found] = candidates;
  if (!found && archive.entries.some((entry) => /\/data\.pkl$/.test(entry.name))) throw weightsGiven(name);
  if (!found || candidates.length > 1) {
    throw new GeoLearnError("MODEL_CORRUPT", `${name} holds ${candidates.length} .emd files; a model package has exactly one.`, {
      hint: "Give a .dlpk as geolearn or ArcGIS writes it.",
      data: { found: candidates.slice(0, 10).map((entry) => entry.name) },
    });
  }
  if (found.size > MAX_EMD_BYTES) {
    throw new GeoLearnError("LIMIT_EXCEEDED", `${name}: ${found.name} has ${found.size} bytes; at most ${MAX_EMD_BYTES} are read.`, {
      hint: "The file is not a model description.",
    });
  }
  const emd = parseJson(await archive.read(found.name), `${found.name} in ${name}`);
  if (typeof emd !== "object" || emd === null || Array.isArray(emd)) {
    throw new GeoLearnError("MODEL_CORRUPT", `${found.name} in ${name} is not an object.`, {
      hint: "Give a .dlpk as geolearn or ArcGIS writes it.",
    });
  }
  const slash = found.name.lastIndexOf("/") + 1;
  return {
    name,
    archive,
    folder: found.name.slice(0, slash),
    stem: found.name.slice(slash, -4),
    emd: emd as Readonly<Record<string, unknown>>,
  };
}

/** The error for another kind of model file, as far as its first bytes or its ending tell. */
function noPackage(source: string | Uint8Array, name: string): GeoLearnError | null {
  const kind = typeof source === "string" ? fileKind(new Uint8Array(), source) : fileKind(source.subarray(0, 512), name);
  if (kind === "weights") return weightsGiven(name);
  if (!/\.onnx$/i.test(name)) return null;
  return new GeoLearnError("UNSUPPORTED_FORMAT", `${name} is an ONNX file, not a model package.`, {
    hint: "Make a package of it: `geolearn import-onnx --onnx FILE --out MODEL.dlpk`, in TypeScript `openOnnx(path, spec)`.",
  });
}

function weightsGiven(name: string): GeoLearnError {
  return new GeoLearnError("UNSUPPORTED_FORMAT", `${name} is a PyTorch weight file, not a model package.`, {
    hint: "Weights start a training: `geolearn train --weights FILE`, in TypeScript `createLearner(data, { weights })`. A whole model comes through ONNX: torch.onnx.export in PyTorch, then `geolearn import-onnx`.",
  });
}

/**
 * The entry a file name in the `.emd` means: beside the `.emd`, both slashes and a leading `./` understood. Null when
 * the archive has none; a name cannot reach outside, since only entries of the archive are looked up.
 */
export function entryNamed(opened: OpenedPackage, file: string): string | null {
  const plain = file.replace(/\\/g, "/").replace(/^(\.\/)+/, "");
  const name = opened.folder + plain;
  return opened.archive.has(name) ? name : null;
}
