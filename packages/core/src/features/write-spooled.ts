/** Writing a file whose head must know all features: they wait in a spool, the file is whole or not there. */

import { AppendFile } from "./append-file.ts";
import { FeatureSpool } from "./feature-spool.ts";
import type { Feature } from "./features.ts";

/** Collects the features, lets `write` write them, and returns how many there are. @throws WRITE_FAILED, DISK_FULL, what `write` throws */
export async function writeSpooled(
  features: AsyncIterable<Feature>,
  path: string,
  signal: AbortSignal | undefined,
  write: (spool: FeatureSpool, file: AppendFile) => Promise<void>,
): Promise<number> {
  const spool = await FeatureSpool.fill(features, path, signal);
  try {
    const file = await AppendFile.create(path);
    try {
      await write(spool, file);
      await file.commit();
    } finally {
      await file.abort();
    }
    return spool.count;
  } finally {
    await spool.close();
  }
}
