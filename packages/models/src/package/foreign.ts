/** Packages of other tools: what they are is told, their code is never run. */

import { GeoLearnError, type Task } from "@geolearn/core";

import type { OpenedPackage } from "./archive.ts";
import { taskOfEsriModelType } from "./emd.ts";

/** A class as a foreign `.emd` lists it. */
export interface ForeignClass {
  readonly value: number;
  readonly name: string;
  /** Null where the file gives none. */
  readonly color: readonly [number, number, number] | null;
}

/** What a foreign `.emd` says, as far as it says it. */
export interface ForeignDescription {
  /** e.g. `"PyTorch"`, `"arcgis.learn.models._inferencing"`. */
  readonly framework: string | null;
  readonly task: Task | null;
  /** Esri's word for the task. */
  readonly esriModelType: string | null;
  /** e.g. `"unet"`, `"FeatureClassifier"`. */
  readonly architecture: string | null;
  readonly backbone: string | null;
  readonly classes: readonly ForeignClass[];
  /** Positions of the bands, or null when not given. */
  readonly bandIndices: readonly number[] | null;
  readonly chipWidth: number | null;
  readonly chipHeight: number | null;
  /** Names the description gives to weights and inference code. */
  readonly weightsFile: string | null;
  readonly inferenceFunction: string | null;
}

/** Reads what a foreign `.emd` says; keys differ a lot between its generations, so anything may be missing. */
export function foreignDescription({ emd }: OpenedPackage): ForeignDescription {
  const esriModelType = word(emd["ModelType"]);
  return {
    framework: word(emd["Framework"]),
    task: esriModelType === null ? null : taskOfEsriModelType(esriModelType),
    esriModelType,
    architecture: architectureOf(emd),
    backbone: word(member(emd["ModelParameters"], "backbone")) ?? word(emd["Backbone"]),
    classes: classesOf(emd["Classes"]),
    bandIndices: bandsOf(emd["ExtractBands"]),
    chipWidth: wholeNumber(emd["ImageWidth"]),
    chipHeight: wholeNumber(emd["ImageHeight"]),
    weightsFile: word(emd["ModelFile"]),
    inferenceFunction: word(emd["InferenceFunction"]),
  };
}

/** The refusal to open a foreign package, with the way to bring it over. */
export function foreignError(opened: OpenedPackage): GeoLearnError {
  const d = foreignDescription(opened);
  const bands = d.bandIndices?.length ?? 3;
  const height = d.chipHeight ?? 256;
  const width = d.chipWidth ?? 256;
  const what = [d.architecture ?? "an unnamed network", d.backbone === null ? "" : `with ${d.backbone}`]
    .filter((part) => part !== "")
    .join(" ");
  const made = d.framework === null ? "another tool" : d.framework;
  const classes = d.classes
    .map((c) => c.name)
    .slice(0, 12)
    .join(", ");
  return new GeoLearnError(
    "MODEL_FOREIGN",
    `${opened.name} was made by ${made}: ${what}, ${bands} bands, ${d.classes.length} classes${classes === "" ? "" : ` (${classes})`}. ` +
      "Its weights can only be read by running code from the package, which geolearn never does.",
    {
      hint:
        "Bring it over through ONNX: open the model in Python where it was trained and run " +
        `torch.onnx.export(model.eval(), torch.zeros(1, ${bands}, ${height}, ${width}), "model.onnx", input_names=["image"], output_names=["logits"], opset_version=17), ` +
        "then make a package of it by geolearn import-onnx --onnx model.onnx --spec spec.json --out model.dlpk, or open it by fromOnnx(). " +
        "The spec tells task, classes, bands and normalization.",
      data: { ...d },
    },
  );
}

/** `ModelConfiguration` is a word, or an object with `Name`; arcgis.learn writes a leading underscore. */
function architectureOf(emd: Readonly<Record<string, unknown>>): string | null {
  const configuration = emd["ModelConfiguration"];
  const name = word(configuration) ?? word(member(configuration, "Name"));
  return name?.replace(/^_+/, "") ?? null;
}

function classesOf(value: unknown): ForeignClass[] {
  if (!Array.isArray(value)) return [];
  const classes: ForeignClass[] = [];
  for (const entry of value.slice(0, 4096) as unknown[]) {
    const given = wholeNumber(member(entry, "Value"));
    const name = member(entry, "Name");
    if (given === null) continue;
    classes.push({
      value: given,
      name: typeof name === "string" || typeof name === "number" ? String(name).slice(0, 200) : "",
      color: colorOf(member(entry, "Color")),
    });
  }
  return classes;
}

/** A template's hint ("e.g. [0, 1, 2]") is not a list of bands. */
function bandsOf(value: unknown): readonly number[] | null {
  return Array.isArray(value) && value.length > 0 && value.length <= 4096 && value.every((v) => wholeNumber(v) !== null)
    ? (value as number[])
    : null;
}

/** -1, -1, -1 stands for "no colour". */
function colorOf(value: unknown): readonly [number, number, number] | null {
  if (!Array.isArray(value) || value.length !== 3 || !value.every((v) => Number.isInteger(v) && v >= 0 && v <= 255)) return null;
  return [value[0] as number, value[1] as number, value[2] as number];
}

function member(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
}

/** A short text that is not a template's hint. */
function word(value: unknown): string | null {
  return typeof value === "string" && value.trim() !== "" && !value.startsWith("e.g.") ? value.trim().slice(0, 200) : null;
}

function wholeNumber(value: unknown): number | null {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 ? value : null;
}
