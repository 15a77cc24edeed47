import { defineConfig } from "tsup";

export default defineConfig({
  entry: { index: "src/index.ts", cli: "src/cli/main.ts" },
  format: "esm",
  target: "node20",
  dts: { entry: "src/index.ts", compilerOptions: { isolatedDeclarations: false } },
  sourcemap: true,
  clean: true,
});
