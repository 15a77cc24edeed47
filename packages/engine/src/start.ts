/** Starting the engine in Node. */

import type { EngineInfo } from "./engine-state.ts";
import { node } from "./runtime/node.ts";
import { type EngineOptions, startOn } from "./start-on.ts";

export type { EngineOptions } from "./start-on.ts";

/**
 * Starts the engine and makes it tfjs's backend. Call it once at the beginning; calling it again with the same or no options
 * gives the same engine.
 *
 * @throws MULTIPLE_TFJS when two copies of tfjs are loaded; DEVICE_UNAVAILABLE when the device has no session;
 * ENGINE_FAILED when ONNX Runtime cannot be loaded; INVALID_ARGUMENT when it already runs with other options.
 * @example
 * const { device, threads } = await startEngine();
 */
export function startEngine(options: EngineOptions = {}): Promise<EngineInfo> {
  return startOn(node, options);
}
