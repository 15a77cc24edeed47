export type { InferenceConfiguration, InferenceFunction, ParameterInfo, PixelBlock, SceneInfo } from "./inference-function.ts";
