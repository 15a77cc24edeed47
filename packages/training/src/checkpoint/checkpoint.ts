/**
 * A checkpoint: one safetensors file that holds the weights, the optimizer, the best weights so far, and in its header
 * the place in the run as JSON. It is written under another name and renamed, so that a kill at any moment leaves the
 * former or the new one; a checksum over the numbers tells a damaged disk from a good one.
 */

import { createHash } from "node:crypto";
import { access } from "node:fs/promises";
import { join } from "node:path";

import { GeoLearnError } from "@geolearn/core";
import type { HostTensor } from "@geolearn/engine";
import { readSafetensors, writeSafetensors } from "@geolearn/models";

import type { Fingerprint } from "../learner/fingerprint.ts";
import type { EpochRecord } from "../learner/records.ts";

/** Version of the format below. */
const FORMAT = 1;
const FILE = "checkpoint.safetensors";

/** Place in a run. Plain JSON; numbers come back to the bit. */
export interface RunPosition {
  /** Epoch the run is in, from 0, counted over all calls of `fit`. */
  readonly epoch: number;
  /** Batches of that epoch already trained on. */
  readonly batch: number;
  /** Steps since the optimizer was fresh. */
  readonly step: number;
  /** First epoch of this call of `fit`. */
  readonly firstEpoch: number;
  /** Sum of the losses of the epoch's batches so far. */
  readonly lossSum: number;
  /** Highest learning rate of the run. */
  readonly lr: number;
  readonly best: { readonly epoch: number; readonly value: number | null } | null;
  /** Early stopping: figure to be beaten, and epochs since. */
  readonly reference: number | null;
  readonly waited: number;
  readonly ended: "finished" | "earlyStopping" | null;
  /** All epochs of the learner so far. */
  readonly records: readonly EpochRecord[];
}

/** A whole checkpoint. */
export interface Checkpoint {
  readonly fingerprint: Fingerprint;
  /** Device and threads: on others the run goes on, but not to the bit. */
  readonly machine: Fingerprint;
  readonly position: RunPosition;
  readonly network: readonly (readonly [name: string, value: HostTensor])[];
  readonly optimizer: readonly (readonly [name: string, value: HostTensor])[];
  /** Empty when there is no best epoch yet. */
  readonly best: readonly (readonly [name: string, value: HostTensor])[];
}

/** Writes the checkpoint of a folder. @throws DISK_FULL, WRITE_FAILED; the former checkpoint is whole then */
export async function writeCheckpoint(
  folder: string,
  { fingerprint, machine, position, network, optimizer, best }: Checkpoint,
): Promise<void> {
  const tensors = new Map<string, HostTensor>();
  for (const [group, entries] of Object.entries({ network, optimizer, best })) {
    for (const [name, tensor] of entries) tensors.set(`${group}/${name}`, tensor);
  }
  const state = JSON.stringify({ fingerprint, machine, position, checksum: checksum(tensors) });
  await writeSafetensors(join(folder, FILE), tensors, { metadata: { format: `geolearn-checkpoint-${FORMAT}`, state } });
}

/** The checkpoint of a folder, or null when there is none. @throws CHECKPOINT_CORRUPT */
export async function readCheckpoint(folder: string): Promise<Checkpoint | null> {
  const path = join(folder, FILE);
  try {
    await access(path);
  } catch {
    return null;
  }
  try {
    const { tensors, metadata } = await readSafetensors(path);
    if (metadata.get("format") !== `geolearn-checkpoint-${FORMAT}`) {
      throw new GeoLearnError("CHECKPOINT_CORRUPT", `${path} is no checkpoint of this version of geolearn.`, {
        hint: "Start anew in another folder.",
      });
    }
    const {
      fingerprint,
      machine,
      position,
      checksum: saved,
    } = JSON.parse(metadata.get("state") ?? "") as Checkpoint & { checksum: string };
    if (saved !== checksum(tensors)) throw new Error("the numbers do not fit their checksum");
    const group = (name: string): [string, HostTensor][] =>
      [...tensors].filter(([key]) => key.startsWith(`${name}/`)).map(([key, tensor]) => [key.slice(name.length + 1), tensor]);
    return { fingerprint, machine, position, network: group("network"), optimizer: group("optimizer"), best: group("best") };
  } catch (cause) {
    if (GeoLearnError.is(cause, "CHECKPOINT_CORRUPT")) throw cause;
    throw new GeoLearnError("CHECKPOINT_CORRUPT", `${path} is damaged: ${cause instanceof Error ? cause.message : String(cause)}`, {
      hint: "Delete the folder and start anew.",
      cause,
    });
  }
}

function checksum(tensors: ReadonlyMap<string, HostTensor>): string {
  const hash = createHash("sha256");
  for (const [name, { data, shape }] of tensors) {
    hash.update(`${name} ${shape.join("x")} `);
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest("hex");
}
