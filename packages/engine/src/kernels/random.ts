/** Random draws as kernels: the generator lies in the graph, so a recorded function draws anew at each run. */

import type * as tf from "@tensorflow/tfjs";
import { currentRecording } from "../graph/recording.ts";
import { nextSeed, seedFrom } from "../random-state.ts";
import type { KernelCall, KernelTable } from "./register.ts";

/** Draws from `[batch, outcomes]`, by where a uniform number falls among the running sums of the probabilities. */
function multinomial({ inputs, attributes, backend }: KernelCall): tf.TensorInfo {
  const logits = inputs["logits"]!;
  const [batch, outcomes] = logits.shape as [number, number];
  const samples = attributes["numSamples"] as number;
  const given = attributes["seed"] as number;
  // Outside a recording the same seed gives the same draws, as in tfjs; a recorded function goes on from the engine's own state.
  const seed = currentRecording() === null ? seedFrom(given) : nextSeed();
  const probabilities =
    attributes["normalized"] === true
      ? backend.alias(logits, logits.shape)
      : backend.emit("Softmax", [logits], {}, logits.shape, "float32");
  const running = { axis: 1, exclusive: false, reverse: false };
  const sums = backend.emit("Cumsum", [probabilities], running, logits.shape, "float32");
  const bounds = backend.emit("Slice", [sums], { begin: [0, 0], size: [batch, outcomes - 1] }, [batch, outcomes - 1], "float32");
  const uniform = backend.emit("RandomUniform", [seed], { id: 0 }, [batch, samples], "float32");
  // As many bounds as are not above the number lie before its outcome.
  const out = backend.emit("SearchSorted", [bounds, uniform], { side: "right" }, [batch, samples], "int32");
  for (const part of [probabilities, sums, bounds, uniform]) backend.disposeData(part.dataId);
  seed.dispose();
  return out;
}

/** Random kernels by tfjs's names. */
export const randomKernels: KernelTable = { Multinomial: multinomial };
