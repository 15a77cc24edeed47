/** Where a weight file is: on this computer, or at an address with a checksum. */

import { downloadFile, type DownloadOptions, GeoLearnError } from "@geolearn/core";

/** Options of {@link readWeights} and `loadEncoderWeights`; files on this computer need none. */
export interface ReadWeightsOptions extends Pick<DownloadOptions, "network" | "signal" | "onProgress"> {
  /** SHA-256 the file at an address must have, unless the address ends in `#sha256=...`. */
  readonly sha256?: string;
  /** Folder of downloads. @defaultValue `downloads` in the cache folder: `GEOLEARN_CACHE`, else the system's */
  readonly folder?: string;
}

/** True for `https://...` and the like. */
export function isAddress(source: string): boolean {
  return /^[a-z][a-z0-9+.-]+:\/\//i.test(source);
}

/**
 * The path of a weight file. An address is fetched into the cache, once, and only with a checksum.
 *
 * @throws INVALID_ARGUMENT for an address without a checksum, or a checksum without an address; what `downloadFile` throws
 */
export async function locateWeights(source: string, options: ReadWeightsOptions = {}): Promise<string> {
  const { sha256, folder, network, signal, onProgress } = options;
  if (!isAddress(source)) {
    if (sha256 === undefined) return source;
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `A checksum was given, but ${source} is no address; checksums belong to what is downloaded.`,
      {
        hint: "Leave `sha256` out, or give the address as `weights`.",
      },
    );
  }
  const [address = "", fragment = ""] = source.split(/#(.*)/s);
  const inside = /^sha256=(.*)$/s.exec(fragment)?.[1];
  const checksum = sha256 ?? inside;
  if (checksum === undefined) {
    throw new GeoLearnError("INVALID_ARGUMENT", `The weights at ${address.split("?")[0]} have no checksum; nothing was downloaded.`, {
      hint: "Put #sha256=<64 hexadecimal digits> behind the address (or give `sha256`), as the publisher states it.",
    });
  }
  if (inside !== undefined && inside.toLowerCase() !== checksum.toLowerCase()) {
    throw new GeoLearnError("INVALID_ARGUMENT", "The checksum in the address and `sha256` differ.", { hint: "Give one of them." });
  }
  return downloadFile(address, {
    sha256: checksum,
    ...(folder !== undefined && { folder }),
    ...(network !== undefined && { network }),
    ...(signal !== undefined && { signal }),
    ...(onProgress !== undefined && { onProgress }),
  });
}
