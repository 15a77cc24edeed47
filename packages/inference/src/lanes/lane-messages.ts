/** What passes between a model and the threads it computes on. */

import type { Device } from "@geolearn/engine";
import type { DecodeOptions } from "@geolearn/models";

/** A weight inside the shared buffer. */
export interface SharedWeight {
  readonly name: string;
  readonly shape: readonly number[];
  /** First byte in the buffer; values are float32. */
  readonly offset: number;
  readonly length: number;
}

/** A network of ours: it is built anew and given its weights. */
export interface LaneNetwork {
  readonly kind: "network";
  readonly modelType: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly weights: readonly SharedWeight[];
  /** What the decoder of a network that finds objects leaves out. */
  readonly decoding?: DecodeOptions;
  /** One copy of the weights for all threads. */
  readonly buffer: ArrayBufferLike;
}

/** What inference must know of a network. */
export interface NetworkFrame {
  /** Sides of a block must be multiples of this. */
  readonly stride: number;
  /** Pixels at each border of a block that have no result. */
  readonly margin: number;
}

/** An ONNX file with one input, raw pixels. */
export interface LaneGraph extends NetworkFrame {
  readonly kind: "graph";
  /** The file. */
  readonly buffer: ArrayBufferLike;
  /** Its name, for messages. */
  readonly source: string;
  /** Whether the file gives numbers of classes, which may be none of the known ones. */
  readonly classNumbers: boolean;
}

/** What a network gives for some blocks, an array for each of its outputs. */
export type Outputs = readonly Float32Array[];

/** What a network is fed. */
export interface BlockShape {
  readonly tileWidth: number;
  readonly tileHeight: number;
  readonly bands: number;
  /** Blocks of every run of the network: always as many, so that no result depends on how many are asked for at once. */
  readonly computeBatch: number;
}

/** A network and where it is to run. */
export interface LaneSetup extends BlockShape {
  readonly device: Device;
  readonly threads: number;
  readonly model: LaneNetwork | LaneGraph;
}

/** What a thread is started with. A network of ours comes as a graph, except for a device that is no ONNX Runtime. */
export interface LaneStart extends LaneSetup {
  /** One number in shared memory; not 0 when the threads shall end. */
  readonly stop: Int32Array;
}

/** Blocks to compute. */
export interface LaneRequest {
  readonly id: number;
  readonly pixels: Float32Array;
  readonly size: number;
  /** Shared memory for the first output, or null: then all come with the reply. */
  readonly out: Float32Array | null;
}

/** Tells a thread to end. */
export const STOP = "stop";

/** A failure in a form that passes between threads. */
export interface LaneFailure {
  readonly message: string;
  readonly code: string | null;
  readonly hint: string | null;
}

/** What a thread says. */
export type LaneReply =
  | ({ readonly kind: "ready" } & NetworkFrame)
  | { readonly kind: "outputs"; readonly id: number; readonly outputs: Outputs | null }
  | { readonly kind: "failure"; readonly id: number | null; readonly failure: LaneFailure };
