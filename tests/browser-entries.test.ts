/** What the rooms offer in a browser is bundled without a module of Node. */

import { readFile } from "node:fs/promises";
import { builtinModules } from "node:module";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";
import { describe, expect, test } from "vitest";

const packages = new URL("../packages/", import.meta.url);

const ROOMS = ["core", "engine", "models", "inference"];

const namesOf = async (file: URL): Promise<string[]> => Object.keys((await import(file.href)) as object).sort();

describe.each(ROOMS)("%s in a browser", (room) => {
  const entry = new URL(`${room}/src/browser.ts`, packages);

  test("offers what it offers in Node, by the same names", async () => {
    const there = await namesOf(new URL(`${room}/src/index.ts`, packages));
    const here = await namesOf(entry);
    expect(here.length).toBeGreaterThan(0);
    expect(here.filter((name) => !there.includes(name))).toEqual([]);
  });

  test("is bundled without any module of Node", async () => {
    const { metafile } = await build({
      entryPoints: [fileURLToPath(entry)],
      ...{ bundle: true, write: false, metafile: true, format: "esm", platform: "browser", outdir: "out", logLevel: "silent" },
      conditions: ["@geolearn/source"],
      external: ["onnxruntime-web/*"],
      absWorkingDir: fileURLToPath(new URL("..", import.meta.url)),
    });
    const imports = Object.entries(metafile.inputs).flatMap(([file, input]) => input.imports.map(({ path }) => ({ file, path })));
    expect(imports.length).toBeGreaterThan(0);
    expect(imports.filter(({ path }) => path.startsWith("node:") || builtinModules.includes(path))).toEqual([]);
    // Globals of Node in our own code would fail only when they are reached.
    const own = await Promise.all(
      Object.keys(metafile.inputs)
        .filter((file) => file.startsWith("packages/"))
        .map((file) => readFile(new URL(`../${file}`, import.meta.url), "utf8")),
    );
    const code = own.join("\n").replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
    expect([...code.matchAll(/(?<![.\w"'`[])(Buffer|process|__dirname)\.\w+/g)].map(([found]) => found)).toEqual([]);
  });
});
