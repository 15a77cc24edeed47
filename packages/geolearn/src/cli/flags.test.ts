/** Options in messages and hints, as flags of the command that ran. */

import { Command, Option } from "commander";
import { expect, test } from "vitest";
import { withFlags } from "./flags.ts";

const { options } = new Command("work")
  .option("--cell-size <metres>")
  .option("--out-of-range")
  .option("--bands <band,...>")
  .option("--class-mapping <value=name,...>")
  .option("--no-predict-background")
  .option("--freeze")
  .option("--no-freeze")
  .option("--pretrained-model <path>")
  .addOption(new Option("--format <name>").choices(["classified-tiles"]));

test.each([
  ["Leave out `cellSize`.", "Leave out --cell-size."],
  ['Use `cellSize: "model"` here.', "Use --cell-size model here."],
  ['Or `cellSize: "0.3 crs"`.', 'Or --cell-size "0.3 crs".'],
  ["`cellSize: 0.5`", "--cell-size 0.5"],
  ["`outOfRange: true` writes it, `outOfRange: false` does not.", "--out-of-range writes it, no --out-of-range does not."],
  ['`bands: [3, 2, 1]` or `bands: ["red", "near infrared"]`', '--bands 3,2,1 or --bands "red,near infrared"'],
  ['`classMapping: { 3: "water" }`', "--class-mapping 3=water"],
  ["`predictBackground: false`", "--no-predict-background"],
  ["`freeze: true` or `freeze: false`", "--freeze or --no-freeze"],
  ['`format: "classifiedTiles"`', "--format classified-tiles"],
  ["`pretrained`", "--pretrained-model"],
  ["`crs: 32633`, `crs`", "crs: 32633 (in TypeScript only), crs (in TypeScript only)"],
  ["`geolearn check --raster ...`, `npm dedupe`, `@scope/name`", "`geolearn check --raster ...`, `npm dedupe`, `@scope/name`"],
  ["`task`, `chipSize: 96`", "task (in TypeScript only), chipSize: 96 (in TypeScript only)"],
  ["Make one: `geolearn import-onnx`, in TypeScript `openOnnx(path, spec)`.", "Make one: `geolearn import-onnx`."],
  ["detectObjects(): `cellSize` is 0.", "--cell-size is 0."],
  ["Nothing to do.", "Nothing to do."],
])("%s", (text, expected) => {
  expect(withFlags(text, options)).toBe(expected);
});

test("fields of a spec stand in the file of --spec", () => {
  const { options: own } = new Command("import-onnx").option("--spec <path>").option("--external-data");
  expect(withFlags('Give `task: "pixelClassification"`, `externalData: true` or `device`.', own)).toBe(
    'Give task: "pixelClassification" (in the file of --spec), --external-data or device (in TypeScript only).',
  );
});
