/**
 * The benchmarks' own programs as users' programs run: on the built packages and without a TypeScript loader, both of which count in
 * time and memory.
 */

import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

import { measureProcess } from "./measure.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
/** Here programs find the packages, and nobody lints them. */
const folder = fileURLToPath(new URL("node_modules/.programs", import.meta.url));
let building: Promise<void> | null = null;

/** Builds what a program of this folder needs, where that is older than its sources. Gives the program's path. */
export async function builtProgram(name: string): Promise<string> {
  await (building ??= buildPackages());
  const entry = fileURLToPath(new URL(`${name}.ts`, import.meta.url));
  await build({
    entryPoints: [entry],
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    packages: "external",
    format: "esm",
    platform: "node",
    logLevel: "error",
  });
  return join(folder, `${name}.mjs`);
}

async function buildPackages(): Promise<void> {
  const rooms = readdirSync(join(root, "packages")).map((room) => join(root, "packages", room));
  const stale = rooms.filter((room) => newest(join(room, "src")) > newest(join(room, "dist")));
  if (stale.length === 0) return;
  console.error("building the packages");
  const manager = process.env["npm_execpath"];
  const [command, ...first] = manager === undefined ? ["pnpm"] : [process.execPath, manager];
  const { code, stdout, stderr } = await measureProcess(command, [...first, "run", "build"], { cwd: root, sampleMs: 1000 });
  if (code !== 0) throw new Error(`pnpm build exited with ${code}:\n${stdout.slice(-2000)}${stderr.slice(-2000)}`);
}

/** When the last file of a folder was written, in milliseconds; 0 without the folder. */
function newest(path: string): number {
  if (!existsSync(path)) return 0;
  return Math.max(
    0,
    ...readdirSync(path, { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile() && !entry.name.endsWith(".test.ts"))
      .map((entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs),
  );
}
