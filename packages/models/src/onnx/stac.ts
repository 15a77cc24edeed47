/**
 * The STAC item of a model: Machine Learning Model extension 1.5 (https://github.com/stac-extensions/mlm), with which catalogues find models
 * and know what to feed them.
 */

import type { ModelManifest } from "../manifest.ts";

const EXTENSIONS = [
  "https://stac-extensions.github.io/mlm/v1.5.0/schema.json",
  "https://stac-extensions.github.io/classification/v2.0.0/schema.json",
];

const TASKS: Readonly<Record<ModelManifest["task"], string>> = {
  pixelClassification: "semantic-segmentation",
  objectDetection: "object-detection",
  instanceSegmentation: "instance-segmentation",
  objectClassification: "classification",
};

const ARCHITECTURES: Readonly<Record<string, string>> = {
  unet: "U-Net",
  retinanet: "RetinaNet",
  fcos: "FCOS",
  "faster-rcnn": "Faster R-CNN",
  "mask-rcnn": "Mask R-CNN",
  ssd: "SSD",
  centermask: "CenterMask",
  "feature-classifier": "FeatureClassifier",
};

/** A STAC item, plain JSON. */
export interface StacItem {
  readonly type: "Feature";
  readonly stac_version: string;
  readonly id: string;
  readonly properties: Readonly<Record<string, unknown>>;
  readonly assets: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly [key: string]: unknown;
}

/** The file an item describes. */
export interface DescribedFile {
  /** Where the ONNX file lies, as seen from the item. */
  readonly href: string;
  /** Number of weights. */
  readonly parameters: number;
  readonly inputShape: readonly (number | string)[];
  readonly outputShape: readonly (number | string)[];
}

/** The item of a model whose normalization is part of the graph. A model has no place and no moment: geometry and datetime stay open. */
export function stacItem(manifest: ModelManifest, { href, parameters, inputShape, outputShape }: DescribedFile): StacItem {
  const { name, modelType, backbone, task, resolution, statistics, bandNames, sampleType } = manifest;
  const architecture = ARCHITECTURES[modelType] ?? "unknown";
  return {
    type: "Feature",
    stac_version: "1.1.0",
    stac_extensions: EXTENSIONS,
    id: plainName(name).replace(/\s/g, "-"),
    geometry: null,
    properties: {
      title: name,
      description: `${architecture}${backbone === null ? "" : ` with ${backbone}`} trained with geolearn.`,
      datetime: null,
      start_datetime: "1900-01-01T00:00:00Z",
      end_datetime: "9999-12-31T23:59:59Z",
      ...(resolution === null ? {} : { gsd: resolution }),
      bands: bandNames.map((band, i) => ({
        name: band,
        data_type: sampleType,
        ...(statistics[i] === undefined ? {} : { statistics: statisticsOf(statistics[i]) }),
      })),
      "mlm:name": plainName(name),
      "mlm:architecture": architecture,
      "mlm:tasks": [TASKS[task]],
      "mlm:framework": "ONNX",
      "mlm:total_parameters": parameters,
      "mlm:accelerator": null,
      "mlm:batch_size_suggestion": 4,
      "mlm:input": [
        {
          name: "input",
          description: "Raw pixel values; normalization is part of the graph.",
          bands: [...bandNames],
          input: { shape: sizes(inputShape), dim_order: ["batch", "bands", "height", "width"], data_type: "float32" },
          value_scaling: null,
          resize_type: null,
          pre_processing_function: null,
        },
      ],
      "mlm:output": outputsOf(manifest, outputShape),
    },
    assets: {
      model: {
        href,
        title: `${name} as ONNX`,
        type: "application/octet-stream; application=onnx",
        roles: ["mlm:model", "mlm:weights"],
        "mlm:artifact_type": "onnx",
        // STAC wants bands of an item to belong to one of its assets.
        bands: bandNames.map((band) => ({ name: band })),
      },
    },
    links: [],
  };
}

/** Scores of pixels or of whole images in one output, or boxes, labels and scores of objects. */
function outputsOf(manifest: ModelManifest, shape: readonly (number | string)[]): unknown[] {
  const shared = { tasks: [TASKS[manifest.task]], "classification:classes": classesOf(manifest), post_processing_function: null };
  if (manifest.task === "pixelClassification") {
    const result = { shape: sizes(shape), dim_order: ["batch", "class", "height", "width"], data_type: "float32" };
    return [{ name: "output", ...shared, result }];
  }
  if (manifest.task === "objectClassification") {
    const result = { shape: sizes(shape), dim_order: ["batch", "class"], data_type: "float32" };
    return [{ name: "output", ...shared, result }];
  }
  const list = sizes(shape).slice(0, -1);
  const order = list.length === 1 ? ["object"] : ["batch", "object"];
  return [
    { name: "boxes", ...shared, result: { shape: [...list, 4], dim_order: [...order, "side"], data_type: "float32" } },
    { name: "labels", ...shared, result: { shape: list, dim_order: order, data_type: "int32" } },
    { name: "scores", ...shared, result: { shape: list, dim_order: order, data_type: "float32" } },
  ];
}

const sizes = (shape: readonly (number | string)[]): number[] => shape.map((side) => (typeof side === "number" ? side : -1));

function statisticsOf({ min, max, mean, std, count }: ModelManifest["statistics"][number]): Record<string, number> {
  return { minimum: min, maximum: max, mean, stddev: std, count };
}

/** Classes by their index in the output: what a reader of scores needs. The user's value stands in the description. */
function classesOf({ classes }: ModelManifest): unknown[] {
  return classes.map(({ value, name, color }, index) => ({
    value: index,
    name: /^[\w-]+$/.test(name) && /^[ -~]+$/.test(name) ? name : `class-${index}`,
    description: `${name} (${value} in maps)`,
    color_hint: color.map((channel) => channel.toString(16).padStart(2, "0")).join("").toUpperCase(), // prettier-ignore
  }));
}

/** A name as `mlm:name` allows it: Latin letters, digits, `_ . -` and blanks, a letter first, none of the signs last. */
function plainName(name: string): string {
  const plain = name
    .normalize("NFKD")
    .replace(/[^A-Za-z0-9_.\- ]+/g, "_")
    .replace(/[^A-Za-z0-9]+$/, "")
    .replace(/^[^A-Za-z]+/, "");
  return plain.length >= 3 ? plain : `model ${plain === "" ? "1" : plain}`;
}
