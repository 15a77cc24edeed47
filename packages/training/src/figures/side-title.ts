/** What chips of a side are called above their pictures. */

import type { Side } from "../tasks/task.ts";

export const SIDE_TITLE: Readonly<Record<Side, string>> = { train: "Training chips", valid: "Validation chips" };
