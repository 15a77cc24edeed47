/** Bundles the page and its worker into `dist/`, with ONNX Runtime's files beside them: nothing is loaded from elsewhere. */

import { copyFile, mkdir, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

import { build } from "esbuild";

const source = fileURLToPath(new URL(".", import.meta.url));

/** WebAssembly of the CPU, and of WebGPU. */
const RUNTIME_FILES = ["ort-wasm-simd-threaded", "ort-wasm-simd-threaded.asyncify"].flatMap((stem) => [`${stem}.mjs`, `${stem}.wasm`]);

/** Builds into a folder, which is emptied first. */
export async function buildPage(out: string): Promise<void> {
  await rm(out, { recursive: true, force: true });
  await mkdir(join(out, "onnxruntime"), { recursive: true });
  await build({
    entryPoints: [join(source, "page.ts"), join(source, "worker.ts")],
    outdir: out,
    ...{ bundle: true, splitting: true, minify: true, sourcemap: true, format: "esm", platform: "browser", target: "es2022" },
    // Taken from the sources in this repository; in a project of your own leave this out and the built packages are used.
    conditions: ["@geolearn/source"],
    logLevel: "warning",
  });
  for (const file of ["index.html", "page.css"]) await copyFile(join(source, file), join(out, file));
  const runtime = dirname(createRequire(import.meta.url).resolve("onnxruntime-web"));
  for (const file of RUNTIME_FILES) await copyFile(join(runtime, file), join(out, "onnxruntime", file));
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await buildPage(fileURLToPath(new URL("../dist", import.meta.url)));
}
