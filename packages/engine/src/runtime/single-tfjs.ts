/** Two copies of tfjs share a registry but not their classes; gradients then fail far from the cause. */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { GeoLearnError } from "@geolearn/core";

const CORE = /[\\/]@tensorflow[\\/]tfjs-core[\\/]dist[\\/]tf-core\.node(?:\.min)?\.js$/;

/** A loaded copy of tfjs. */
export interface TfjsCopy {
  readonly folder: string;
  readonly version: string;
}

/** Copies of tfjs-core among loaded modules. */
export function tfjsCopies(loadedFiles: readonly string[]): TfjsCopy[] {
  return loadedFiles
    .filter((file) => CORE.test(file))
    .map((file) => {
      const folder = dirname(dirname(file));
      const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { version: string };
      return { folder, version };
    });
}

/** @throws MULTIPLE_TFJS naming every copy, its version and its place. */
export function checkSingleTfjs(loadedFiles: readonly string[] = Object.keys(createRequire(import.meta.url).cache)): void {
  const copies = tfjsCopies(loadedFiles);
  if (copies.length < 2) return;
  throw new GeoLearnError(
    "MULTIPLE_TFJS",
    `${copies.length} copies of tfjs are loaded: ${copies.map((copy) => `${copy.version} in ${copy.folder}`).join("; ")}`,
    {
      hint: "Depend on one version: add `@tensorflow/tfjs` 4.22.0 to your own package.json and deduplicate (`npm dedupe`, or `overrides`).",
      data: { copies },
    },
  );
}
