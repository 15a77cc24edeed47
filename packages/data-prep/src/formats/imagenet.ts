/** Imagenet: below `images/` a folder per class, named after it; there are no label files. */

import { type ClassDefinition, GeoLearnError } from "@geolearn/core";

/** The folder of a class below `images/`: its name without signs that file systems cannot hold. */
export function classFolder(name: string): string {
  const safe = name.replace(/[\\/:*?"<>|\u0000-\u001f]/g, "_").trim();
  return /^\.*$/.test(safe) ? `class${safe.replaceAll(".", "_")}` : safe;
}

/** @throws INVALID_ARGUMENT for classes that would share a folder */
export function checkClassFolders(classes: readonly ClassDefinition[]): void {
  const folders = new Map<string, string>();
  for (const { name } of classes) {
    const folder = classFolder(name).toLowerCase();
    const other = folders.get(folder);
    if (other !== undefined) {
      throw new GeoLearnError(
        "INVALID_ARGUMENT",
        `The classes "${other}" and "${name}" would share the folder images/${classFolder(name)}.`,
        {
          hint: "Give other names with `classes`.",
        },
      );
    }
    folders.set(folder, name);
  }
}
