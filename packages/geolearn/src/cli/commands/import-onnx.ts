/** `geolearn import-onnx`: a network of others as a model package. */

import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { GeoLearnError, makeFolder } from "@geolearn/core";
import { type ModelManifest, type OnnxSpec, openOnnx, writeModelPackage } from "@geolearn/models";
import { Command } from "commander";
import type { CommandContext } from "../context.ts";
import { list } from "../table.ts";

interface Options {
  readonly onnx: string;
  readonly spec?: string;
  readonly out: string;
  readonly externalData?: boolean;
}

export function importOnnxCommand(contextOf: (command: Command) => CommandContext): Command {
  const command = new Command("import-onnx")
    .description("Make a model package of an ONNX file from PyTorch, TensorFlow or other tools.")
    .requiredOption("--onnx <model.onnx>", "the ONNX file; it is judged before it is run")
    .option("--spec <spec.json>", "what the file does not say of itself: task, classes, bands, normalization...")
    .requiredOption("--out <model.dlpk>", "where the model package goes")
    .option("--external-data", "allow tensors in other files of the model's own folder");
  return command.action(async () => {
    const { onnx, spec, out, externalData = false } = command.opts<Options>();
    const { print } = contextOf(command);
    const modelPackage = await openOnnx(onnx, spec === undefined ? {} : await readSpec(spec), { externalData });
    await makeFolder(dirname(out));
    await writeModelPackage(out, modelPackage);
    const { manifest } = modelPackage;
    const { task, name, classes, bandIndices, chipWidth, chipHeight, resolution } = manifest;
    print({ out, task, name, classes, bands: bandIndices, chipWidth, chipHeight, resolution }, textOf(out, manifest));
  });
}

async function readSpec(path: string): Promise<OnnxSpec> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new GeoLearnError("FILE_NOT_FOUND", `The spec ${path} cannot be read.`, { hint: "Give the path of a JSON file.", cause });
  }
  try {
    return JSON.parse(text) as OnnxSpec;
  } catch (cause) {
    throw new GeoLearnError("INVALID_ARGUMENT", `The spec ${path} is not valid JSON.`, {
      hint: "See the guide on ONNX for an example.",
      cause,
    });
  }
}

function textOf(out: string, { task, classes, bandNames, chipWidth, chipHeight, resolution }: ModelManifest): string {
  return list([
    ["model", out],
    ["task", task],
    ["classes", classes.map(({ value, name }) => `${value} ${name}`).join(", ")],
    ["bands", bandNames.join(", ")],
    ["chip", `${chipWidth} x ${chipHeight} pixels`],
    ["resolution", resolution === null ? "not known" : `${resolution} m`],
  ]);
}
