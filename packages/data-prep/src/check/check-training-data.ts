/** `checkTrainingData`: what could be wrong with labels before anything is trained on them. */

import { createHash } from "node:crypto";

import { checkOptions, type ClassDefinition, rules, type WorkOptions } from "@geolearn/core";

import { ChipCache } from "../chips/chip-cache.ts";
import { type LabelledChips, pixelChips, withChipFolder } from "../chips/any-folder.ts";
import { type ChipImage, type ChipSource, IGNORE_VALUE } from "../chips/chip.ts";
import type { LabelUnit } from "../chips/class-table.ts";
import { measureChips } from "../chips/measure.ts";
import { openWindowSource, WINDOW_RULES, type WindowSourceOptions } from "../chips/window-source.ts";
import { chipFootprints } from "../split/footprint.ts";
import { loadStoredSides } from "../split/split-file.ts";
import { measureOverlap, type SplitOverlap } from "../split/overlap.ts";
import type { LabelOverlap } from "../export/where-labels-lie.ts";
import { ShiftEstimator } from "./label-shift.ts";
import { type LabelShift, judgeShift, shiftText } from "./shift-verdict.ts";

/** What is checked: a chip folder, or a raster with labels. */
export type CheckSource = { readonly chips: string } | WindowSourceOptions;

/** Something found. */
export interface Finding {
  readonly code:
    | "LABELS_BEYOND"
    | "LABEL_SHIFT"
    | "UNLABELLED"
    | "IMAGES_WITHOUT_LABEL"
    | "DUPLICATES"
    | "LEAKAGE"
    | "CLASS_IMBALANCE"
    | "UNDECLARED_CLASS"
    | "MISSING_PIXELS";
  readonly severity: "note" | "warning";
  readonly message: string;
}

/** What {@link checkTrainingData} tells. */
export interface TrainingDataCheck {
  readonly chips: number;
  /** What is counted per class. */
  readonly unit: LabelUnit;
  readonly classes: readonly (ClassDefinition & {
    readonly pixels: number;
    readonly objects: number;
    /** Chips with at least one pixel or object of the class, or of the class as a whole. */
    readonly chips: number;
    readonly share: number;
  })[];
  /** Share of pixels whose image is missing or whose label is ignored, 0 to 1. */
  readonly ignoredShare: number;
  /** Chips without any class but background, or without an object. */
  readonly unlabelledChips: number;
  /** Images of the folder that are no chips, because no label file has their name. */
  readonly unpairedImages: number;
  /** Estimated shift of the labels, or null when there are too few edges or labels are objects. */
  readonly labelShift: LabelShift | null;
  /** Groups of chips with the same pixels. */
  readonly duplicates: readonly (readonly string[])[];
  /** Ground shared by the stored split's sides, or null without a split. */
  readonly leakage: SplitOverlap | null;
  /** How raster and labels meet; null for a chip folder and where that cannot be told. */
  readonly overlap: LabelOverlap | null;
  readonly findings: readonly Finding[];
  /** True when there is no warning among the findings. */
  readonly good: boolean;
}

/** Chips looked at for the label shift at most; more change nothing. */
const SHIFT_CHIPS = 64;

/**
 * Checks training data: how raster and labels meet, label shift (cross-correlation of label and image edges within 10 pixels), unlabelled areas, duplicate
 * chips, ground shared by training and validation, class balance.
 *
 * @throws as prepareData and exportTrainingData do for their inputs, LABELS_OUTSIDE among them
 * @example
 * const { findings } = await checkTrainingData({ raster: "scene.tif", labels: "buildings.geojson" });
 */
export async function checkTrainingData(source: CheckSource, options: WorkOptions = {}): Promise<TrainingDataCheck> {
  checkOptions(options, rules.work, "checkTrainingData()");
  checkSource(source);
  if ("chips" in source) {
    return withChipFolder(source.chips, { onWarning: options.onWarning }, (opened) => check(opened, source.chips, options));
  }
  const windows = { ...source, stride: source.stride ?? source.chipSize ?? 256, allTiles: true };
  const chips = await openWindowSource(windows, { ...options, seed: 0 });
  try {
    return await check(pixelChips(chips), null, options);
  } finally {
    await chips.close();
  }
}

function checkSource(source: CheckSource): void {
  const where = "The source of checkTrainingData()";
  if (rules.object.accepts(source) && "chips" in source) checkOptions(source, { chips: rules.path }, where);
  else checkOptions(source, WINDOW_RULES, where, "Give `chips`, or `raster` and `labels`.");
}

async function check<C extends ChipImage>(
  opened: LabelledChips<C>,
  folder: string | null,
  options: WorkOptions,
): Promise<TrainingDataCheck> {
  const { chips, unit, count } = opened;
  const cache = new ChipCache(chips);
  const records = await measureChips(cache, { ...options, folder, count });
  const { shift, duplicates } = await lookAtPixels(opened, cache, options);

  const amounts = new Map<number, number>();
  for (const { labels } of records) for (const [value, amount] of labels) amounts.set(value, (amounts.get(value) ?? 0) + amount);
  const labelled = [...amounts.values()].reduce((sum, amount) => sum + amount, 0);
  const all = records.length * chips.width * chips.height;
  const bare = unit === "pixels" && amounts.has(0) && !chips.classes.some(({ value }) => value === 0);
  const declared = bare ? [BACKGROUND, ...chips.classes] : chips.classes;
  const classes = declared.map((entry) => {
    const amount = amounts.get(entry.value) ?? 0;
    const share = labelled === 0 ? 0 : amount / labelled;
    const holding = records.filter(({ labels }) => labels.some(([value]) => value === entry.value)).length;
    return { ...entry, pixels: unit === "pixels" ? amount : 0, objects: unit === "objects" ? amount : 0, chips: holding, share };
  });
  const unlabelledChips = records.filter(({ labels }) => !labels.some(([value]) => value !== 0 || unit !== "pixels")).length;
  const leakage = folder === null ? null : await storedLeakage(folder, records, chips);
  const result = {
    chips: records.length,
    unit,
    classes,
    ignoredShare: all === 0 || unit !== "pixels" ? 0 : 1 - labelled / all,
    unlabelledChips,
    unpairedImages: chips.unpaired ?? 0,
    labelShift: shift,
    duplicates,
    leakage,
    overlap: chips.overlap ?? null,
  };
  const undeclared = [...amounts.keys()].filter((value) => !declared.some((entry) => entry.value === value));
  const findings = findingsOf(result, undeclared);
  return { ...result, findings, good: findings.every(({ severity }) => severity !== "warning") };
}

/** What a chip without labels holds. */
const BARE: Readonly<Record<LabelUnit, string>> = { pixels: "background alone", objects: "no object", chips: "no class" };

const BACKGROUND: ClassDefinition = { value: 0, name: "background", color: [0, 0, 0] };

/** Label shift over chips spread evenly, and digests of all chips. */
async function lookAtPixels<C extends ChipImage>(
  { chips, pixelLabels }: LabelledChips<C>,
  cache: ChipCache<C>,
  { signal }: WorkOptions,
): Promise<{ shift: LabelShift | null; duplicates: string[][] }> {
  const estimator = new ShiftEstimator();
  const every = Math.max(1, Math.floor(chips.chips.length / SHIFT_CHIPS));
  const byDigest = new Map<string, string[]>();
  let sample: C | null = null;
  for (const [index, { name }] of chips.chips.entries()) {
    signal?.throwIfAborted();
    const chip = await cache.get(index, signal);
    const digest = createHash("sha256")
      .update(new Uint8Array(chip.image.buffer, chip.image.byteOffset, chip.image.byteLength))
      .digest("base64");
    const same = byDigest.get(digest);
    // an empty chip is like any other empty chip
    if (chip.mask === null || chip.mask.includes(1)) {
      if (same === undefined) byDigest.set(digest, [name]);
      else same.push(name);
    }
    if (index % every !== 0 || pixelLabels === null) continue;
    sample ??= chip;
    const labels = pixelLabels(chip);
    estimator.add(brightness(chip), labels, usable(labels, chip.mask), chip.width, chip.height);
  }
  const estimate = estimator.estimate();
  const shift = estimate === null || sample === null ? null : judgeShift(estimate, sample);
  return { shift, duplicates: [...byDigest.values()].filter((names) => names.length > 1) };
}

/** Mean of up to three bands: where they agree is an edge. */
function brightness({ image, bands, width, height }: ChipImage): Float32Array {
  const area = width * height;
  const used = Math.min(3, bands);
  const out = new Float32Array(area);
  for (let band = 0; band < used; band++) for (let i = 0; i < area; i++) out[i]! += image[band * area + i]! / used;
  return out;
}

function usable(labels: Uint16Array, mask: Uint8Array | null): Uint8Array | null {
  const ignore = IGNORE_VALUE; // a local copy: module bindings are slow in some loaders
  const out = Uint8Array.from(labels, (value, i) => (value === ignore || (mask !== null && mask[i] === 0) ? 0 : 1));
  return out.includes(0) ? out : null;
}

async function storedLeakage(
  folder: string,
  records: Parameters<typeof chipFootprints>[0],
  { width, height }: Pick<ChipSource, "width" | "height">,
): Promise<SplitOverlap | null> {
  const sides = await loadStoredSides(
    folder,
    records.map(({ name }) => name),
  );
  const footprints = sides === null ? null : chipFootprints(records, width, height);
  return sides === null || footprints === null ? null : measureOverlap(footprints, sides.train, sides.valid);
}

function findingsOf(result: Omit<TrainingDataCheck, "findings" | "good">, undeclared: readonly number[]): Finding[] {
  const findings: Finding[] = [];
  const warn = (code: Finding["code"], message: string, severity: Finding["severity"] = "warning"): number =>
    findings.push({ code, severity, message });
  const { labelShift, classes, unit, chips, unlabelledChips, unpairedImages, duplicates, leakage, ignoredShare, overlap } = result;
  if (overlap !== null && overlap.features !== null && overlap.inside !== null && overlap.inside < overlap.features) {
    warn(
      "LABELS_BEYOND",
      `${overlap.features - overlap.inside} of ${overlap.features} label features lie beyond the part of the raster that is looked at.`,
      "note",
    );
  }
  if (labelShift?.verdict === "shifted") warn("LABEL_SHIFT", `${shiftText(labelShift)}.`);
  if (undeclared.length > 0) warn("UNDECLARED_CLASS", `The labels hold values no class has: ${undeclared.slice(0, 10).join(", ")}.`);
  const bare = (unlabelledChips + unpairedImages) * 2 > chips + unpairedImages ? "warning" : "note";
  if (unlabelledChips > 0) {
    warn("UNLABELLED", `${unlabelledChips} of ${chips} chips hold ${BARE[unit]}: not labelled, or nothing there?`, bare);
  }
  if (unpairedImages > 0) {
    const images = chips + unpairedImages;
    warn(
      "IMAGES_WITHOUT_LABEL",
      `${unpairedImages} of ${images} images have no label file of their name and take no part in training.`,
      bare,
    );
  }
  if (ignoredShare > 0.01)
    warn(
      "MISSING_PIXELS",
      `${(ignoredShare * 100).toFixed(1)} % of the pixels are ignored: image without data or land outside the mask.`,
      "note",
    );
  if (duplicates.length > 0) {
    const copies = duplicates.reduce((sum, names) => sum + names.length - 1, 0);
    warn("DUPLICATES", `${copies} chips repeat others pixel by pixel, such as ${duplicates[0]!.slice(0, 3).join(" and ")}.`);
  }
  if (leakage !== null && leakage.chips > 0) {
    warn(
      "LEAKAGE",
      `${leakage.chips} validation chips share ground with training chips (${(leakage.share * 100).toFixed(1)} % of the validation ground).`,
    );
  }
  const rare = classes.filter(({ share }) => share > 0 && share < 0.01);
  if (rare.length > 0) {
    warn(
      "CLASS_IMBALANCE",
      `${rare.map(({ name, share }) => `${name} (${(share * 100).toFixed(2)} %)`).join(", ")} hold less than a hundredth of the labelled ${unit}.`,
      "note",
    );
  }
  return findings;
}
