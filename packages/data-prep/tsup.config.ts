import { defineConfig } from "tsup";

export default defineConfig({
  entry: {
    index: "src/index.ts",
    "assemble.worker": "src/batches/assemble.worker.ts",
    "chip.worker": "src/export/chip.worker.ts",
  },
  format: "esm",
  target: "node20",
  dts: { entry: { index: "src/index.ts" }, compilerOptions: { isolatedDeclarations: false } },
  sourcemap: true,
  clean: true,
});
