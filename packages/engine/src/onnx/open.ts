/** ONNX models on the running engine. */

import { GeoLearnError } from "@geolearn/core";
import { runningEngine } from "../engine-state.ts";
import type { OnnxModel } from "./decode.ts";
import { type OnnxSession, sessionOn } from "./session.ts";

/**
 * Makes a session of a model that {@link readOnnxModel} has checked. `startEngine` must have finished.
 *
 * @throws ENGINE_FAILED when ONNX Runtime refuses the model, e.g. for an operator it does not know
 * @example
 * const session = await openOnnxSession(await readOnnxModel("net.onnx"));
 * const { logits } = await session.run({ image: { data: pixels, shape: [1, 3, 64, 64], dtype: "float32" } });
 */
export async function openOnnxSession(model: OnnxModel): Promise<OnnxSession> {
  const { runner } = runningEngine();
  if (runner === null) {
    throw new GeoLearnError("ENGINE_FAILED", "ONNX models run on ONNX Runtime; the engine was started with device tensorflow", {
      hint: 'Start the engine with `device: "cpu"`.',
    });
  }
  return sessionOn(runner, model);
}
