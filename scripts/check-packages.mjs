// Checks the packages as users get them: built, packed, linted, installed with npm from the tarballs, and then used from ES
// modules, from require, with TypeScript 5.0.4 (tslab's) and, for the command line, by its bin. Usage: node scripts/check-packages.mjs
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");
const folder = mkdtempSync(join(tmpdir(), "geolearn-packed-"));
const environment = { ...process.env, ONNXRUNTIME_NODE_INSTALL: "skip" };
let failed = 0;
let passed = 0;

function run(command, args, cwd) {
  return execFileSync(command, args, { cwd, env: environment, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

function check(name, work) {
  try {
    work();
    passed++;
    console.log(`ok      ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAILED  ${name}`);
    for (const text of [error.stdout, error.stderr, error.stdout === undefined ? error.stack : undefined])
      if (text) console.log(String(text).slice(-4000));
  }
}

const pnpm = (args, cwd) => run("npx", ["-y", "pnpm@10.34.9", ...args], cwd);
const rooms = readdirSync(join(root, "packages")).sort();

check("build", () => pnpm(["run", "build"], root));
const tarballs = join(folder, "tarballs");
mkdirSync(tarballs);
for (const room of rooms) check(`pack ${room}`, () => pnpm(["pack", "--pack-destination", tarballs], join(root, "packages", room)));

for (const file of readdirSync(tarballs).sort()) {
  check(`publint ${file}`, () => run("npx", ["publint", "run", join(tarballs, file), "--strict"], root));
  check(`attw ${file}`, () => run("npx", ["attw", join(tarballs, file), "--profile", "esm-only"], root));
}

const user = join(folder, "user");
mkdirSync(user);
const dependencies = Object.fromEntries(
  readdirSync(tarballs).map((file) => [
    file.startsWith("geolearn-geolearn") || !/^geolearn-[a-z]/.test(file)
      ? "geolearn"
      : `@geolearn/${file.replace(/^geolearn-/, "").replace(/-\d.*$/, "")}`,
    `file:${join(tarballs, file)}`,
  ]),
);
writeFileSync(
  join(user, "package.json"),
  JSON.stringify(
    { name: "user", private: true, type: "module", dependencies: { ...dependencies, typescript: "5.0.4", "@types/node": "18.19.130" } },
    null,
    2,
  ),
);
check("npm install of the tarballs", () => run("npm", ["install", "--no-audit", "--no-fund"], user));

const probe = `
  const raster = await g.openRaster(path.join(here, "scene.tif"));
  if (raster.width !== 96 || raster.bands !== 3) throw new Error("the scene was not read back");
  const map = await g.classifyPixels(brighter, raster, { overlap: 0 });
  await map.save(path.join(here, name + ".tif"));
  await raster.close();
  await map.dispose();
`;
const rule = `
  const brighter = {
    name: "brighter",
    parameters: () => [],
    configure: async () => ({ bands: [0, 1, 2], tileWidth: 32, tileHeight: 32, padding: 0, batchSize: 4, output: "scores", outputBands: 2, outputType: "uint8",
      classes: [{ value: 0, name: "dark", color: [0, 0, 0] }, { value: 7, name: "bright", color: [255, 255, 255] }] }),
    process: async ({ pixels, size, height, width, bands }) => {
      const out = new Float32Array(size * height * width * 2);
      for (let i = 0; i < size * height * width; i++) { const s = pixels[i * bands] / 255; out[2 * i] = 1 - s; out[2 * i + 1] = s; }
      return out;
    },
    dispose: async () => {},
  };
`;
writeFileSync(
  join(user, "make-scene.mjs"),
  `import { createRaster, parseCrs } from "@geolearn/core";
   const data = Uint8Array.from({ length: 3 * 96 * 64 }, (_, i) => (i * 37) % 256);
   const writer = await createRaster("scene.tif", { width: 96, height: 64, bands: 3, sampleType: "uint8", transform: [1, 0, 500000, 0, -1, 5000000], crs: parseCrs(32633) });
   await writer.appendRows(data, 64);
   await writer.close();`,
);
writeFileSync(
  join(user, "esm.mjs"),
  `import path from "node:path"; import * as g from "geolearn"; const here = import.meta.dirname; const name = "esm"; ${rule} ${probe} console.log("esm ok");`,
);
writeFileSync(
  join(user, "require.cjs"),
  `const path = require("node:path"); const g = require("geolearn"); const here = __dirname; const name = "cjs"; ${rule} (async () => { ${probe} console.log("require ok"); })().catch((e) => { console.error(e); process.exit(1); });`,
);
check("scene written by the installed core", () => run("node", ["make-scene.mjs"], user));
check("used from ES modules, decoding in workers", () => run("node", ["esm.mjs"], user));
check("used from require", () => run("node", ["require.cjs"], user));
check("both ways write the same map", () => run("cmp", ["esm.tif", "cjs.tif"], user));
check("command line", () => {
  if (!run("npx", ["geolearn", "info", "scene.tif", "--json"], user).includes("32633")) throw new Error("info does not name the CRS");
});
writeFileSync(
  join(user, "index.ts"),
  `import { exportTrainingData, prepareData, UNet, fromModel } from "geolearn";
   export async function flow(): Promise<void> {
     await exportTrainingData({ raster: "scene.tif", labels: "b.geojson", out: "chips", format: "classifiedTiles", chipSize: 256, stride: 128 });
     const data = await prepareData("chips", { task: "pixelClassification", batchSize: 8, valSplit: 0.2, seed: 7 });
     const unet = await UNet.create(data, { backbone: "resnet18", weights: "random" });
     await unet.fit({ epochs: 10 });
     await unet.save("buildings.dlpk");
     const model = await fromModel("buildings.dlpk", { task: "pixelClassification" });
     const map = await model.classifyPixels("city/*.tif", { overlap: 64 });
     await map.save("classes.tif");
     await (await map.toPolygons({ classes: ["building"], minArea: 20 })).save("footprints.gpkg");
   }`,
);
for (const [resolution, module] of [
  ["node16", "node16"],
  ["node", "commonjs"],
]) {
  check(`declarations with TypeScript 5.0.4, moduleResolution ${resolution}`, () => {
    writeFileSync(
      join(user, "tsconfig.json"),
      JSON.stringify({
        compilerOptions: {
          strict: true,
          noEmit: true,
          target: "es2022",
          lib: ["es2022", "dom"],
          module,
          moduleResolution: resolution,
          skipLibCheck: false,
          types: ["node"],
        },
        files: ["index.ts"],
      }),
    );
    let output = "";
    try {
      run("npx", ["tsc", "-p", "tsconfig.json"], user);
    } catch (error) {
      output = error.stdout;
    }
    // Declarations of others may not compile with so old a compiler; ours and the user's must.
    const ours = output.split("\n").filter((line) => /^(index\.ts|node_modules\/(@geolearn|geolearn)\/)/.test(line));
    if (ours.length > 0) throw new Error(ours.join("\n"));
  });
}

// Notebooks, headless, with the installed packages. `--keep-notebooks` writes them back with their outputs.
const python = resolve(root, process.env.GEOLEARN_PEERS ?? "../.venv-peers", "bin/python");
if (existsSync(python)) {
  check("npm install of tslab", () => run("npm", ["install", "--no-audit", "--no-fund", "tslab@1.0.22"], user));
  for (const file of readdirSync(join(root, "docs/notebooks")).filter((f) => f.endsWith(".ipynb"))) {
    const out = process.argv.includes("--keep-notebooks") ? join(root, "docs/notebooks", file) : join(folder, file);
    check(`notebook ${file}`, () =>
      run(
        python,
        [join(root, "scripts/run-notebook.py"), join(root, "docs/notebooks", file), out, join(user, "node_modules/tslab/bin/tslab")],
        user,
      ),
    );
  }
} else {
  console.log(`skipped notebooks: no Python environment at ${python} (scripts/setup-peers.sh makes it)`);
}

rmSync(folder, { recursive: true, force: true });
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
