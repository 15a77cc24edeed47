/** The engine in Node. */

import { nodeDevices } from "./node-devices.ts";
import type { Platform } from "./platform.ts";
import { checkSingleTfjs } from "./single-tfjs.ts";
import { startTensorflow } from "./tensorflow.ts";

/** Node with the devices of ONNX Runtime and tfjs-node. */
export const node: Platform = {
  ...nodeDevices,
  hints: { ...nodeDevices.hints, tensorflow: "Install the optional peer `@tensorflow/tfjs-node` 4.22.0." },
  checkTfjs: checkSingleTfjs,
  startTensorflow,
};
