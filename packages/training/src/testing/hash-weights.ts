/** A fingerprint of weights, for tests. */

import { createHash } from "node:crypto";

import type { AnyNetwork } from "@geolearn/models";

/** SHA-256 over names and bytes of all parameters. */
export function hashWeights(network: AnyNetwork): string {
  const hash = createHash("sha256");
  for (const [name, { data }] of network.weights()) {
    hash.update(name);
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest("hex");
}
