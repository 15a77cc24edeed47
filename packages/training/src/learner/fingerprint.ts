/** What must be alike for a run to be continued exactly. */

import { createHash } from "node:crypto";

import { GeoLearnError } from "@geolearn/core";

import type { AnyData } from "../tasks/task.ts";

/** Settings by name, plain JSON. */
export type Fingerprint = Readonly<Record<string, unknown>>;

/** The data's part of a fingerprint. */
export function dataFingerprint(data: AnyData): Fingerprint {
  return {
    task: data.task,
    classes: data.classes.map(({ value, name }) => ({ value, name })),
    bands: data.bandIndices,
    chipSize: [data.chipWidth, data.chipHeight],
    batchSize: data.batchSize,
    dataSeed: data.seed,
    statistics: data.statistics.map(({ mean, std }) => [mean, std]),
    trainingChips: digest(data.train.names),
    validationChips: digest(data.valid.names),
  };
}

function digest(names: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(names)).digest("hex").slice(0, 16);
}

/** @throws INVALID_ARGUMENT that names every setting in which the run differs from the one in `folder` */
export function checkFingerprint(now: Fingerprint, saved: Fingerprint, folder: string): void {
  const differing = [...new Set([...Object.keys(now), ...Object.keys(saved)])]
    .filter((key) => canonical(now[key]) !== canonical(saved[key]))
    .sort();
  if (differing.length === 0) return;
  throw new GeoLearnError("INVALID_ARGUMENT", `The run in ${folder} was started with other settings: ${differing.join(", ")}.`, {
    hint: "Resume with the same data and options, or start anew in another folder.",
    data: { differing, saved: Object.fromEntries(differing.map((key) => [key, saved[key]])) },
  });
}

/** JSON with sorted keys, so that the order of options does not matter. */
function canonical(value: unknown): string {
  return (
    JSON.stringify(value, (_, inner: unknown) =>
      typeof inner === "object" && inner !== null && !Array.isArray(inner)
        ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
        : inner,
    ) ?? "undefined"
  );
}
