/**
 * Worker threads that start from TypeScript sources and from a build alike. A worker's file is `name.worker.ts` beside the
 * module that uses it; in a build it is its own entry, `dist/name.worker.js`.
 */

import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { Worker, type WorkerOptions } from "node:worker_threads";

/** Options of {@link createWorker}: those of Node's `Worker` that do not decide how the file is loaded. */
export type CreateWorkerOptions = Pick<WorkerOptions, "workerData" | "transferList" | "resourceLimits" | "env" | "name">;

/**
 * Where the worker file `name` lies, seen from the module that asks.
 *
 * @param importMetaUrl `import.meta.url` of the module beside which the worker's source lies
 * @param name file name without extension, for example `"decode.worker"`
 */
export function workerUrl(importMetaUrl: string, name: string): URL {
  return new URL(`./${name}${runsFromSource(importMetaUrl) ? ".ts" : ".js"}`, importMetaUrl);
}

/**
 * Starts the worker `name`. The caller decides about `unref()` and `terminate()`; {@link WorkerPool} does both.
 *
 * @example
 * const worker = createWorker(import.meta.url, "decode.worker", { resourceLimits: { maxOldGenerationSizeMb: 256 } });
 */
export function createWorker(importMetaUrl: string, name: string, options: CreateWorkerOptions = {}): Worker {
  const url = workerUrl(importMetaUrl, name);
  if (!runsFromSource(importMetaUrl)) return new Worker(url, { ...options, execArgv: [] });
  return new Worker(sourceStarter(importMetaUrl, url), {
    ...options,
    eval: true,
    execArgv: ["--conditions=@geolearn/source"],
  });
}

/** A module ending in `.ts` runs from source; query strings come from test runners. */
function runsFromSource(importMetaUrl: string): boolean {
  return /\.[mc]?ts(\?|#|$)/.test(importMetaUrl);
}

/**
 * Code that loads a TypeScript worker. `--import tsx` registers nothing outside the main thread in Node 20, so the thread
 * registers the loader itself; tsx is found from the module, whatever the working directory.
 */
function sourceStarter(importMetaUrl: string, url: URL): string {
  const require = createRequire(importMetaUrl.replace(/[?#].*$/, ""));
  const api = pathToFileURL(join(dirname(require.resolve("tsx/package.json")), "dist", "esm", "api", "index.mjs"));
  return `import(${JSON.stringify(api.href)}).then(({ register }) => { register(); return import(${JSON.stringify(url.href)}); });`;
}
