/** `geolearn info`: what a file is. */

import type { NetworkOptions } from "@geolearn/core";
import { Command } from "commander";
import { type ChipsInfo, type FeaturesInfo, type Info, type ModelInfo, type OnnxInfo, type RasterInfo, describe } from "../../info.ts";
import type { CommandContext } from "../context.ts";
import { withNetwork } from "../options.ts";
import { list, share, table } from "../table.ts";

export function infoCommand(contextOf: (command: Command) => CommandContext): Command {
  const command = new Command("info")
    .description("Describe a raster, labels, a chip folder, a model package or an ONNX file.")
    .argument("<path>", "the file or folder");
  return withNetwork(command).action(async (path: string) => {
    const { signal, onProgress, print } = contextOf(command);
    const { network = false } = command.opts<NetworkOptions>();
    const info = await describe(path, { signal, onProgress, network });
    print(info, textOf(info));
  });
}

function textOf(info: Info): string {
  if (info.kind === "raster") return rasterText(info);
  if (info.kind === "features") return featuresText(info);
  if (info.kind === "onnx") return onnxText(info);
  return info.kind === "chips" ? chipsText(info) : modelText(info);
}

function rasterText(info: RasterInfo): string {
  return [
    `${info.path}: raster`,
    list([
      ["size", `${info.width} x ${info.height} pixels, ${info.bands.length} bands, ${info.sampleType}`],
      ["CRS", info.crs ? crsText(info.crs) : "none"],
      ["extent", info.extent?.join(", ")],
      ["resolution", info.resolution === null ? null : `${Number(info.resolution.toPrecision(4))} m on the ground`],
      ["nodata", info.nodata],
      ["blocks", `${info.blockWidth} x ${info.blockHeight}`],
      ["overviews", info.overviews.map(({ width, height }) => `${width} x ${height}`).join(", ") || "none"],
      ["statistics", info.sampled ? "estimated from a sample of the pixels" : null],
      ["classes", info.classes?.map(({ value, name }) => `${value} ${name}`).join(", ")],
    ]),
    table(
      ["band", "name", "colour", "min", "max", "mean", "std"],
      info.bands.map(({ name, interpretation, statistics }, i) => [
        i,
        name,
        interpretation,
        statistics?.min ?? null,
        statistics?.max ?? null,
        statistics?.mean ?? null,
        statistics?.std ?? null,
      ]),
    ),
  ].join("\n\n");
}

function featuresText(info: FeaturesInfo): string {
  return [
    `${info.path}: ${info.count} features`,
    list([
      ["CRS", info.crs ? crsText(info.crs) : "none"],
      ["extent", info.extent?.join(", ")],
      [
        "geometries",
        Object.entries(info.geometries)
          .map(([type, count]) => `${count} ${type}`)
          .join(", "),
      ],
    ]),
    table(
      ["field", "filled", "values"],
      Object.entries(info.fields).map(([name, { filled, values }]) => [
        name,
        filled,
        values === null
          ? "many"
          : Object.entries(values)
              .map(([value, count]) => `${value} (${count})`)
              .join(", "),
      ]),
    ),
  ].join("\n\n");
}

function chipsText(info: ChipsInfo): string {
  const pixels = info.chips * info.width * info.height;
  return [
    `${info.path}: ${info.chips} chips`,
    list([
      ["format", info.format],
      ["chip", `${info.width} x ${info.height} pixels, ${info.bands.length} bands, ${info.sampleType}`],
      ["CRS", info.crs.join(", ") || "none"],
      ...info.extents.map(({ bounds }) => ["extent", bounds.join(", ")] as const),
      ["ignored pixels", pixels === 0 || info.unit !== "pixels" ? null : share(info.ignoredPixels / pixels)],
      ["without objects", info.unit === "objects" ? `${info.unlabelledChips} chips` : null],
      ["values without a class", info.undeclared.join(", ") || null],
    ]),
    table(
      ["value", "class", ...(info.unit === "chips" ? [] : [info.unit]), "share", "chips"],
      info.classes.map(({ value, name, pixels: own, objects, share: part, chips }) => [
        value,
        name,
        ...(info.unit === "chips" ? [] : [own + objects]),
        share(part),
        chips,
      ]),
    ),
    table(
      ["band", "name", "min", "max", "mean", "std"],
      info.bands.map(({ name, min, max, mean, std }, i) => [i, name, min, max, mean, std]),
    ),
  ].join("\n\n");
}

function modelText(info: ModelInfo): string {
  const { manifest } = info;
  const trained = manifest?.training ?? {};
  const figures = manifest?.metrics ?? {};
  const number = (value: unknown): number | null => (typeof value === "number" ? value : null);
  return [
    `${info.path}: model "${info.name}"`,
    list([
      ["made by", info.origin === "geolearn" ? "geolearn" : `another tool (${info.framework ?? "unknown"}); it cannot be run here`],
      ["task", info.task],
      ["architecture", info.modelType && `${info.modelType}${info.backbone === null ? "" : ` with ${info.backbone}`}`],
      ["chip", info.chipWidth && `${info.chipWidth} x ${info.chipHeight} pixels${info.bands === null ? "" : `, ${info.bands} bands`}`],
      ["samples", manifest?.sampleType],
      ["resolution", info.resolution === null ? null : `${Number(info.resolution.toPrecision(4))} m on the ground`],
      ["epochs", number(trained["epochs"])],
      ["chips", chipCounts(number(trained["trainingChips"]), number(trained["validationChips"]))],
      ["pixel accuracy", number(figures["pixelAccuracy"])],
      ["mean IoU", number(figures["meanIou"])],
      ["kappa", number(figures["kappa"])],
      ["inference code", info.inferenceFunction && `${info.inferenceFunction} (Python; never run here)`],
      ["files", info.files.map(({ name, bytes }) => `${name} (${fileSize(bytes)})`).join(", ")],
    ]),
    classText(info),
    ...(info.bandIndices === null ? [] : [bandText(info, info.bandIndices)]),
  ].join("\n\n");
}

/** Longest text of a stranger that is shown. */
const LONGEST = 200;

function onnxText(info: OnnxInfo): string {
  const written = info.origin === "geolearn" ? "geolearn" : info.origin === "deepness" ? "the keys of QGIS Deepness" : null;
  const port = ({ type, shape }: OnnxInfo["inputs"][number]): string => `${type} [${shape.join(", ")}]`;
  return [
    `${info.path}: ONNX model "${info.name}"`,
    list([
      ["described by", written ?? "nobody; import-onnx needs a spec"],
      ["written by", info.producer],
      ["opset", info.opset],
      ["parameters", info.parameters],
      ["size", fileSize(info.bytes)],
      ["task", info.task],
      ["chip", info.chipWidth && `${info.chipWidth} x ${info.chipHeight} pixels`],
      ["resolution", info.resolution === null ? null : `${Number(info.resolution.toPrecision(4))} m on the ground`],
      ...info.inputs.map((input) => ["input", `${input.name}: ${port(input)}`] as const),
      ...info.outputs.map((output) => ["output", `${output.name}: ${port(output)}`] as const),
      ...Object.entries(info.metadata).map(([key, value]) => [oneLine(key), oneLine(value)] as const),
    ]),
    ...(info.classes.length === 0 ? [] : [classText(info)]),
    ...(info.bandIndices === null ? [] : [bandText(info, info.bandIndices)]),
  ].join("\n\n");
}

/** Text of a stranger's file without line breaks and control characters. */
function oneLine(text: string): string {
  const plain = text.replace(/[\s\p{Cc}]+/gu, " ").trim();
  return plain.length > LONGEST ? `${plain.slice(0, LONGEST - 3)}...` : plain;
}

function classText({ classes }: Pick<ModelInfo, "classes">): string {
  return table(
    ["value", "class", "colour"],
    classes.map(({ value, name, color }) => [value, name, color && color.join(" ")]),
  );
}

function bandText({ bandNames, manifest }: Pick<ModelInfo, "bandNames" | "manifest">, positions: readonly number[]): string {
  return table(
    ["band", "name", "min", "max", "mean", "std"],
    positions.map((position, i) => {
      const statistics = manifest?.statistics[i];
      const figures = [statistics?.min, statistics?.max, statistics?.mean, statistics?.std];
      return [position, bandNames?.[i] ?? null, ...figures.map((figure) => figure ?? null)];
    }),
  );
}

function chipCounts(training: number | null, validation: number | null): string | null {
  return training === null ? null : `${training} for training, ${validation ?? 0} for validation`;
}

function fileSize(bytes: number): string {
  return bytes < 1024 ? `${bytes} bytes` : bytes < 1024 ** 2 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
}

function crsText({ epsg, name }: { readonly epsg: number | null; readonly name: string }): string {
  return epsg === null ? name : `EPSG:${epsg} ${name}`;
}
