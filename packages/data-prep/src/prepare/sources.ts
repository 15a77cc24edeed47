/** From what a caller names to chips: one folder, several joined, or windows of a raster. */

import { basename } from "node:path";

import { checkOptions, GeoLearnError, type WorkOptions } from "@geolearn/core";

import type { ChipImage, ChipSource } from "../chips/chip.ts";
import type { ChipFolderOptions } from "../chips/folder-source.ts";
import { joinSources } from "../chips/joined-source.ts";
import { WINDOW_RULES, type WindowSourceOptions } from "../chips/window-source.ts";
import type { DataSource, PrepareDataOptions } from "./options.ts";

/** How one kind of chips is opened. */
export interface Openers<C extends ChipImage> {
  readonly folder: (folder: string, options: ChipFolderOptions) => Promise<ChipSource<C>>;
  readonly windows: (options: WindowSourceOptions, work: WorkOptions & { readonly seed: number }) => Promise<ChipSource<C>>;
}

/** Looks at what windows are asked for, and that there are folders. @throws INVALID_ARGUMENT */
export function checkSource(source: DataSource): void {
  if (typeof source === "string") return;
  if (!isFolderList(source)) {
    const expected = "Give a chip folder, a list of some, or `raster` and `labels`.";
    checkOptions(source, WINDOW_RULES, "The source of prepareData()", expected);
  } else if (source.length === 0) {
    throw new GeoLearnError("INVALID_ARGUMENT", "The list of chip folders is empty.", { hint: "Name at least one folder." });
  }
}

/** Opens a data source. @throws CHIPS_MISMATCH, and what the openers throw */
export async function openSource<C extends ChipImage>(
  source: DataSource,
  options: PrepareDataOptions,
  { folder, windows }: Openers<C>,
): Promise<ChipSource<C>> {
  const { onWarning } = options;
  if (typeof source === "string") return folder(source, { onWarning });
  if (!isFolderList(source)) {
    // windows of another size are cut only where they are asked for
    const { chipSize = options.chipSize } = source;
    return windows(chipSize === undefined ? source : { ...source, chipSize }, { ...workOptions(options), seed: options.seed ?? 42 });
  }
  if (source.length === 1) return folder(source[0]!, { onWarning });
  const names = source.map((path) => basename(path.replace(/[/\\]+$/, "")));
  const unique = new Set(names).size === names.length;
  const opened: ChipSource<C>[] = [];
  try {
    for (const [i, path] of source.entries()) {
      opened.push(await folder(path, { prefix: `${unique ? names[i]! : `${i + 1}-${names[i]!}`}/`, onWarning }));
    }
    return joinSources(opened);
  } catch (error) {
    await Promise.all(opened.map((each) => each.close()));
    throw error;
  }
}

function isFolderList(source: DataSource): source is readonly string[] {
  return Array.isArray(source);
}

/** The options of long work alone. */
export function workOptions({ signal, onProgress, onWarning }: WorkOptions): WorkOptions {
  return {
    ...(signal === undefined ? {} : { signal }),
    ...(onProgress === undefined ? {} : { onProgress }),
    ...(onWarning === undefined ? {} : { onWarning }),
  };
}
