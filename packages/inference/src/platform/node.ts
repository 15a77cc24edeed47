/** What inference needs of Node. In a browser browser.ts takes its place (`imports` in package.json). */

import { createHash } from "node:crypto";
import { availableParallelism } from "node:os";

import { type Features, readFeatures } from "@geolearn/core";
import type { Device } from "@geolearn/engine";

/** Cores this process may use. */
export function cores(): number {
  return availableParallelism();
}

/** The device when nobody says. */
export function defaultDevice(): Device {
  return "cpu";
}

/** Memory that may pass between threads without a copy. */
export function sharedMemory(bytes: number): ArrayBufferLike {
  return new SharedArrayBuffer(bytes);
}

/** A checksum that changes whenever any of the parts does. */
export function checksum(parts: readonly (string | Uint8Array)[]): string | undefined {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}

/** The features of a file. */
export function readMask(path: string): Promise<Features> {
  return readFeatures(path);
}
