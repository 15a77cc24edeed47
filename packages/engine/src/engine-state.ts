/** What the running engine is made of. One per process, also when this package is loaded twice. */

import { GeoLearnError } from "@geolearn/core";
import type { GraphRunner } from "./runtime/session.ts";
import type { Device } from "./types.ts";

/** What `startEngine` found. */
export interface EngineInfo {
  /** The device networks run on. */
  readonly device: Exclude<Device, "auto">;
  /** Threads of one operation. */
  readonly threads: number;
  /** Version of ONNX Runtime (of tfjs-node for `tensorflow`). */
  readonly version: string;
  /** Devices that were tried first, and why they were passed over. */
  readonly passedOver: readonly { readonly device: Device; readonly reason: string }[];
}

interface EngineState {
  info: EngineInfo;
  /** Null with tfjs-node, which runs tfjs itself. */
  runner: GraphRunner | null;
  /** Refuses a second copy of tfjs where it can be seen. @throws MULTIPLE_TFJS */
  readonly checkTfjs: () => void;
}

const KEY = Symbol.for("geolearn.engine");
const holder = globalThis as unknown as Record<symbol, EngineState | undefined>;

/** Remembers the running engine. */
export function setEngine(state: EngineState | undefined): void {
  holder[KEY] = state;
}

/** The running engine, or null. */
export function engineInfo(): EngineInfo | null {
  return holder[KEY]?.info ?? null;
}

/** The running engine. @throws ENGINE_FAILED before `startEngine`. */
export function runningEngine(): EngineState {
  const state = holder[KEY];
  if (state === undefined)
    throw new GeoLearnError("ENGINE_FAILED", "the engine has not been started", { hint: "Call `await startEngine()` first." });
  return state;
}
