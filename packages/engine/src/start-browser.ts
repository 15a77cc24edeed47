/** Starting the engine in a browser. */

import type { EngineInfo } from "./engine-state.ts";
import { browser } from "./runtime/browser.ts";
import { type EngineOptions, startOn } from "./start-on.ts";

/**
 * Starts the engine and makes it tfjs's backend, in a page or a web worker. Device `cpu` is WebAssembly, with threads where the page is
 * cross-origin isolated; `webgpu` is the graphics processor. `.mjs` and `.wasm` of onnxruntime-web are taken from the folder `assets`.
 *
 * @throws DEVICE_UNAVAILABLE when the device has no session; ENGINE_FAILED when onnxruntime-web cannot be loaded; INVALID_ARGUMENT when it
 * already runs with other options.
 * @example
 * const { device, threads } = await startEngine({ assets: "/onnxruntime/" });
 */
export function startEngine(options: EngineOptions = {}): Promise<EngineInfo> {
  return startOn(browser, options);
}
