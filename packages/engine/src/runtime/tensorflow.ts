/** The optional peer: an installed tfjs-node or tfjs-node-gpu, which executes tfjs directly. */

import { createRequire } from "node:module";
import { GeoLearnError } from "@geolearn/core";
import * as tf from "@tensorflow/tfjs";
import type { EngineInfo } from "../engine-state.ts";

const PACKAGES = ["@tensorflow/tfjs-node-gpu", "@tensorflow/tfjs-node"];

/** Loads tfjs-node and makes it tfjs's backend. @throws DEVICE_UNAVAILABLE */
export async function startTensorflow(threads: number): Promise<EngineInfo> {
  const require = createRequire(import.meta.url);
  const reasons: string[] = [];
  for (const name of PACKAGES) {
    try {
      const { version } = require(name) as { version: Record<string, string> };
      await tf.setBackend("tensorflow");
      return { device: "tensorflow", threads, version: version["tfjs-node"] ?? "unknown", passedOver: [] };
    } catch (error) {
      reasons.push(`${name}: ${(error instanceof Error ? error.message : String(error)).split("\n")[0]}`);
    }
  }
  throw new GeoLearnError("DEVICE_UNAVAILABLE", `device tensorflow cannot be used: ${reasons.join("; ")}`, {
    hint: 'Install the optional peer `@tensorflow/tfjs-node` 4.22.0, or use `device: "cpu"`, which needs nothing else.',
    data: { device: "tensorflow" },
  });
}
