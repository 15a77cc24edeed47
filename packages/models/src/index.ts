export type { ForwardOptions, Network, Parameter } from "./network.ts";
export type { ModelManifest } from "./manifest.ts";
