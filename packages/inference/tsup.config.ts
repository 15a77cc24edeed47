import { defineConfig } from "tsup";

export default defineConfig([
  {
    entry: {
      index: "src/index.ts",
      "lane.worker": "src/lanes/lane.worker.ts",
      "graph.worker": "src/lanes/graph.worker.ts",
    },
    format: "esm",
    target: "node20",
    dts: { compilerOptions: { isolatedDeclarations: false } },
    sourcemap: true,
    clean: true,
  },
  { entry: { browser: "src/browser.ts" }, format: "esm", platform: "browser", target: "es2022", sourcemap: true },
]);
