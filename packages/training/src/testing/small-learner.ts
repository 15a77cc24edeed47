/** What tests of Learners share. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll } from "vitest";

/** A U-Net that is made and trained in no time. */
export const SMALL = { base: 4, depth: 2, threads: 1 } as const;

/** A folder for what the tests of a file write; it goes when they are done. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "learner-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
