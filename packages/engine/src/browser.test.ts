import { builtinModules } from "node:module";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { describe, expect, test } from "vitest";
import * as inBrowser from "./browser.ts";
import * as inNode from "./index.ts";

/** What needs files, and so a file system. */
const NODE_ONLY = ["readOnnxModel", "readOnnxWeights"];

describe("the browser's front door", () => {
  test("has everything but what needs files", () => {
    const missing = Object.keys(inNode).filter((name) => !(name in inBrowser));
    expect(missing.sort()).toEqual(NODE_ONLY);
    expect(Object.keys(inBrowser).filter((name) => !(name in inNode))).toEqual([]);
  });

  test("is bundled for browsers without any module of Node", async () => {
    const { metafile, warnings } = await build({
      entryPoints: [fileURLToPath(new URL("browser.ts", import.meta.url))],
      ...{ bundle: true, write: false, metafile: true, format: "esm", platform: "browser", conditions: ["@geolearn/source"] },
      external: ["onnxruntime-web/*", "@geolearn/core"],
      logLevel: "silent",
    });
    expect(warnings).toEqual([]);
    const imports = Object.entries(metafile.inputs).flatMap(([file, input]) => input.imports.map(({ path }) => `${file}: ${path}`));
    const builtin = imports.filter((line) => builtinModules.some((name) => line.endsWith(`: ${name}`) || line.includes(": node:")));
    expect(builtin).toEqual([]);
  });
});
