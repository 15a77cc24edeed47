/** What inference needs of a browser: everything runs in the thread that asks. */

import { type Features, GeoLearnError } from "@geolearn/core";
import { type Device, engineInfo } from "@geolearn/engine";

/** Networks that compute at the same time: one, whose operations use the threads that WebAssembly has. */
export function cores(): number {
  return 1;
}

/** The device when nobody says: that of the running engine. */
export function defaultDevice(): Device {
  return engineInfo()?.device ?? "cpu";
}

/** Memory for blocks and weights. */
export function sharedMemory(bytes: number): ArrayBufferLike {
  return new ArrayBuffer(bytes);
}

/** Nothing is taken up again in a browser, so nothing needs to be recognised. */
export function checksum(_parts: readonly (string | Uint8Array)[]): string | undefined {
  return undefined;
}

/** @throws INVALID_ARGUMENT, for a browser has no files by path */
export function readMask(path: string): Promise<Features> {
  return Promise.reject(
    new GeoLearnError("INVALID_ARGUMENT", `The mask ${path.slice(0, 100)} is a path, which a browser does not open.`, {
      hint: "Give the features themselves: `{ name, crs, features }`.",
    }),
  );
}
