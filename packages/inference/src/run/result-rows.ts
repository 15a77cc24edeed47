/** From finished sums to rows of the output rasters. */

import { type RasterProfile, type Samples, createSamples } from "@geolearn/core";

import type { FinishedPiece } from "../blend/accumulator.ts";
import { type DecisionRule, decideClasses, writeValues } from "../blend/decide.ts";
import { hannSum, hannSums } from "../blend/weights.ts";
import type { Layer } from "../output/output-set.ts";
import { classSampleType, valueNodata } from "../output/output-types.ts";
import type { InferenceOptions } from "./options.ts";
import type { SceneRows } from "./batches.ts";
import type { Setup } from "./setup.ts";

/** Scores as bytes are scaled by this; 255 is nodata. */
const BYTE_SCALE = 254;

/** A raster that is written, and how its pixels come about. */
interface ResultLayer extends Layer {
  write(piece: FinishedPiece, rows: SceneRows, out: Samples): void;
}

/** Collects the rows of one row of windows after the other for all output rasters. */
export class ResultRows {
  readonly layers: readonly Layer[];
  /** Valid pixels for which the function gave no finite score. */
  broken = 0;
  readonly #layers: readonly ResultLayer[];
  readonly #width: number;
  #arrays: Samples[] = [];
  #rows = 0;

  constructor(setup: Setup, options: InferenceOptions) {
    this.#width = setup.plan.width;
    this.#layers = this.#makeLayers(setup, options);
    this.layers = this.#layers;
  }

  /** Bytes of the rows collected at a time. */
  bytes(rows: number): number {
    return this.#layers.reduce(
      (sum, { profile }) => sum + createSamples(profile.sampleType, profile.bands).byteLength * rows * this.#width,
      0,
    );
  }

  /** Makes room for the next rows. */
  begin(rows: number): void {
    if (rows === this.#rows) return;
    this.#rows = rows;
    this.#arrays = this.#layers.map(({ profile }) => createSamples(profile.sampleType, profile.bands * rows * this.#width));
  }

  /** Takes a finished piece. */
  write(piece: FinishedPiece, rows: SceneRows): void {
    this.#layers.forEach((layer, i) => layer.write(piece, rows, this.#arrays[i]!));
  }

  /** The rows, one array per layer; valid until the next `begin`. */
  get arrays(): readonly Samples[] {
    return this.#arrays;
  }

  #makeLayers(setup: Setup, options: InferenceOptions): ResultLayer[] {
    const { output } = setup.config;
    const layers = output === "scores" && setup.config.classes !== null ? [this.#classLayer(setup, options)] : [];
    const scores = options.scores ?? false;
    if (layers.length === 0) layers.push(this.#valueLayer(setup, "values", options.out ?? null, setup.config.outputType));
    else if (scores !== false) {
      layers.push(this.#valueLayer(setup, "scores", sidePath(options.out, "scores"), scores === "uint8" ? "uint8" : "float32"));
    }
    if (options.outOfRange === true && setup.config.statistics !== undefined) layers.push(this.#flagLayer(setup, options));
    return layers;
  }

  #classLayer(setup: Setup, { out, predictBackground = true }: InferenceOptions): ResultLayer {
    const classes = setup.config.classes!;
    const { type, nodata } = classSampleType(classes);
    const never = predictBackground ? -1 : classes.findIndex(({ value }) => value === 0);
    const rule: DecisionRule = { values: classes.map(({ value }) => value), never, nodata };
    const colors = type === "uint32" ? {} : { colorTable: new Map(classes.map(({ value, color }) => [value, color])) };
    return {
      name: "classes",
      path: out ?? null,
      profile: {
        ...profileOf(setup, 1, type, nodata),
        ...colors,
        classNames: new Map(classes.map(({ value, name }) => [value, name])),
        overviews: "mode",
        bandNames: ["class"],
      },
      write: (piece, rows, array) => {
        this.broken += decideClasses(piece, rule, rows.valid, array, this.#width);
      },
    };
  }

  #valueLayer(setup: Setup, name: string, path: string | null, type: RasterProfile["sampleType"]): ResultLayer {
    const { config, plan } = setup;
    const bands = config.outputBands;
    const scaled = name === "scores" && type === "uint8";
    const nodata = valueNodata(type);
    const weight = weightFunction(setup);
    const rescale = scaled ? (score: number) => Math.round(Math.min(1, Math.max(0, score)) * BYTE_SCALE) : rounding(type);
    return {
      name,
      path,
      profile: {
        ...profileOf(setup, bands, type, nodata),
        overviews: "average",
        ...(name === "scores" ? { bandNames: config.classes!.map((each) => each.name) } : {}),
        ...(scaled ? { metadata: { SCORE_SCALE: String(BYTE_SCALE) } } : {}),
      },
      write: (piece, { valid }, array) => writeValues(piece, bands, weight, rescale, valid, nodata, array, plan.width),
    };
  }

  #flagLayer(setup: Setup, { out }: InferenceOptions): ResultLayer {
    const { width } = setup.plan;
    return {
      name: "out-of-range",
      path: sidePath(out, "out-of-range"),
      profile: {
        ...profileOf(setup, 1, "uint8", 255),
        overviews: "nearest",
        bandNames: ["flags"],
        classNames: new Map([
          [0, "like the training data"],
          [1, "outside its range"],
          [2, "window far from its mean"],
          [3, "both"],
        ]),
      },
      write: ({ rows, cols, col }, { valid, flags }, array) => {
        for (let row = 0; row < rows; row++) {
          for (let i = row * width + col; i < row * width + col + cols; i++) array[i] = valid[i] === 0 ? 255 : flags![i]!;
        }
      },
    };
  }
}

function profileOf({ plan, transform, crs }: Setup, bands: number, sampleType: RasterProfile["sampleType"], nodata: number): RasterProfile {
  return { width: plan.width, height: plan.height, bands, sampleType, transform, crs, nodata };
}

/** `map.tif` and `scores` give `map.scores.tif`. */
function sidePath(out: string | undefined, name: string): string | null {
  return out === undefined ? null : `${out.replace(/\.tiff?$/i, "")}.${name}.tif`;
}

/** The sum of weights at a pixel, by which sums are divided. */
function weightFunction({ plan, blend, merge }: Setup): (row: number, col: number) => number {
  if (blend === "crop" || (blend === "none" && merge !== "mean")) return () => 1;
  const across = hannSums(plan.width, plan.coreWidth, plan.columns);
  const down = hannSums(plan.height, plan.coreHeight, plan.rows);
  if (blend === "none") return (row, col) => down.count[row]! * across.count[col]!;
  return (row, col) => hannSum(down, row, across, col);
}

function rounding(type: RasterProfile["sampleType"]): (value: number) => number {
  if (type.startsWith("float")) return (value) => value;
  const bits = Number(/\d+/.exec(type)![0]);
  const signed = !type.startsWith("u");
  const low = signed ? -(2 ** (bits - 1)) : 0;
  const high = signed ? 2 ** (bits - 1) - 1 : 2 ** bits - 1;
  return (value) => Math.min(high, Math.max(low, Math.round(value)));
}
