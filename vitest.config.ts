import { defineConfig } from "vitest/config";

const source = "@geolearn/source";

export default defineConfig({
  resolve: { conditions: [source, "node", "import", "module", "default"] },
  ssr: { resolve: { conditions: [source, "node", "import", "module", "default"], externalConditions: [source, "node"] } },
  test: {
    include: ["packages/*/src/**/*.test.ts", "examples/*/src/**/*.test.ts", "tests/**/*.test.ts"],
    pool: "forks",
    maxWorkers: 2,
    // Against hanging for ever, not against slow machines.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    reporters: ["default"],
  },
});
