/** Names of files inside archives. */

import type { GeoLearnError } from "../errors.ts";

/** Makes the error of an archive that is refused. */
export type Refuse = (reason: string, cause?: unknown) => GeoLearnError;

/** Mode bits of a plain file, in the upper half of the external attributes. */
export const REGULAR_FILE = 0o100000;

/** Throws for a name that leaves the archive, or means other things to other systems. */
export function checkName(name: string, refuse: Refuse): void {
  const shown = JSON.stringify(name.slice(0, 100));
  if (name === "") throw refuse("an entry has no name");
  // oxlint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f]/.test(name)) throw refuse(`the name ${shown} holds control characters`);
  if (name.includes("\\")) throw refuse(`the name ${shown} holds a backslash`);
  if (name.startsWith("/") || /^[A-Za-z]:/.test(name)) throw refuse(`the name ${shown} is absolute`);
  if (name.split("/").some((part) => part === ".." || part === ".")) throw refuse(`the name ${shown} leaves its folder`);
  if (name.includes("//")) throw refuse(`the name ${shown} has an empty part`);
}
