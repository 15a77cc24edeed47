/** Where files live that can be had again. */

import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";

/**
 * The cache folder of geolearn: `GEOLEARN_CACHE` if set, else `geolearn` in `XDG_CACHE_HOME`, else the system's usual place
 * (`~/.cache/geolearn`, `~/Library/Caches/geolearn`, `%LOCALAPPDATA%\geolearn\Cache`). It may be deleted at any time when
 * nothing is running. It is not made here.
 *
 * @example
 * cacheFolder(); // "/home/ada/.cache/geolearn"
 */
export function cacheFolder(env: Readonly<Record<string, string | undefined>> = process.env, platform: string = process.platform): string {
  const { GEOLEARN_CACHE: own = "", XDG_CACHE_HOME: xdg = "", LOCALAPPDATA: local = "" } = env;
  if (own !== "") return resolve(own);
  // The specification wants a path that is not absolute to be ignored.
  if (isAbsolute(xdg)) return join(xdg, "geolearn");
  if (platform === "win32" && local !== "") return join(local, "geolearn", "Cache");
  if (platform === "darwin") return join(homedir(), "Library", "Caches", "geolearn");
  return join(homedir(), ".cache", "geolearn");
}
