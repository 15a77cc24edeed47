/** What readers say of damaged binary files. */

import { GeoLearnError } from "../errors.ts";

/** The error for damaged bytes; `where` names the file or the feature. */
export function corrupt(where: string, reason: string): GeoLearnError {
  return new GeoLearnError("FEATURES_CORRUPT", `${where}: ${reason}.`, {
    hint: "The file is damaged or was not written to its end; export it again from its source.",
    data: { where },
  });
}
