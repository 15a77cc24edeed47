/** `geolearn export-onnx`: a model for other programs. */

import { dirname } from "node:path";
import { makeFolder } from "@geolearn/core";
import { startEngine } from "@geolearn/engine";
import { type SaveOnnxOptions, type SavedOnnx, readModelPackage, saveOnnx } from "@geolearn/models";
import { Command, InvalidArgumentError, Option } from "commander";
import type { CommandContext } from "../context.ts";
import { integer } from "../options.ts";
import { list } from "../table.ts";

interface Options extends SaveOnnxOptions {
  readonly model: string;
  readonly out: string;
}

export function exportOnnxCommand(contextOf: (command: Command) => CommandContext): Command {
  const command = new Command("export-onnx")
    .description("Write a model as an ONNX file of standard operators, for QGIS, PyTorch, browsers and others.")
    .requiredOption("--model <model.dlpk>", "the model package")
    .requiredOption("--out <model.onnx>", "where the ONNX file goes")
    .addOption(
      new Option(
        "--size <name>",
        "sizes of images it takes: free, or fixed to the chip size as QGIS Deepness needs it (default: free; chip for networks that find objects, which take no other)",
      ).choices(["free", "chip"]),
    )
    .option("--batch <free|number>", "images per run (default: free; 1 for networks that find objects, which need a number)", batch)
    .addOption(new Option("--output <name>", "what it gives").choices(["scores", "logits"]).default("scores"))
    .option("--stac <item.json>", "also write a STAC item (Machine Learning Model extension) that describes the file");
  return command.action(async () => {
    const { model, out, size, batch: images, output, stac } = command.opts<Options>();
    const { print } = contextOf(command);
    const modelPackage = await readModelPackage(model);
    await startEngine();
    for (const path of [out, ...(stac === undefined ? [] : [stac])]) await makeFolder(dirname(path));
    const options: SaveOnnxOptions = { ...(size && { size }), ...(images && { batch: images }), ...(output && { output }) };
    const saved = await saveOnnx(out, modelPackage, stac === undefined ? options : { ...options, stac });
    print(saved, textOf(saved));
  });
}

function batch(text: string): "free" | number {
  if (text === "free") return text;
  try {
    return integer(1)(text);
  } catch {
    throw new InvalidArgumentError(`expected "free" or a whole number of at least 1, got "${text}".`);
  }
}

function textOf({ out, stac, bytes, opset, inputShape, outputs }: SavedOnnx): string {
  return list([
    ["ONNX", `${out}, ${(bytes / 1e6).toFixed(1)} MB, opset ${opset}`],
    ["input", `input: float32 [${inputShape.join(", ")}], raw pixel values`],
    ...outputs.map(({ name, type, shape }) => ["output", `${name}: ${type} [${shape.join(", ")}]`] as const),
    ["STAC", stac],
  ]);
}
