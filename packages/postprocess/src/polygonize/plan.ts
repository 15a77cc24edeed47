/** The options of an outline job, checked and in the units the work needs. */

import {
  type Affine,
  checkOptions,
  GeoLearnError,
  type OptionRule,
  type OptionRules,
  type Raster,
  isRaster,
  metresPerUnit,
  parseLength,
  pixelArea,
  requireClassRaster,
  rules,
  showValue,
  wrongOption,
} from "@geolearn/core";

import type { PolygonizeOptions } from "./polygonize.ts";
import { rowAreas } from "./source-rows.ts";

/** What {@link PolygonizeOptions} mean for one raster. */
export interface Plan {
  readonly band: number;
  readonly connectivity: 4 | 8;
  /** Values to outline, null for all. */
  readonly wanted: ReadonlySet<number> | null;
  /** Name of a class, or its value as text. */
  readonly className: (value: number) => string;
  readonly transform: Affine;
  /** Ground area of a pixel of each row. */
  readonly rowArea: (row: number) => number;
  /** Whether a region is large enough to be handed on. */
  readonly keeps: (pixels: number, area: number) => boolean;
  /** Whether a region is to be given to its largest neighbour; null without a sieve. */
  readonly isSmall: ((pixels: number, area: number) => boolean) | null;
  readonly simplify: SimplifyPlan | null;
  readonly maxVertices: number;
}

/** Points of open outlines: with what goes with them, about 400 MB. */
const MAX_VERTICES = 4_000_000;

/** How borders are simplified. */
export interface SimplifyPlan {
  /** Largest distance of a point left out from its new border. */
  readonly tolerance: number;
  /** `[xx, xy, yx, yy]`: pixels to the unit of the tolerance, without the origin. */
  readonly metric: readonly [xx: number, xy: number, yx: number, yy: number];
}

const NAME_OR_VALUE = rules.either(rules.text, { expected: "a number", accepts: Number.isFinite });
const NAMES: OptionRule = { expected: "a Map of names by value", accepts: (value) => value instanceof Map };
const AREA: OptionRule = { ...rules.length, expected: 'an area of at least 0, square metres on the ground or such as "20 crs"' };
/** `Infinity` never cuts. */
const VERTICES: OptionRule = { expected: "a number from 16", accepts: (value) => typeof value === "number" && value >= 16 };

const RULES: OptionRules<PolygonizeOptions> = {
  classes: rules.hinted(rules.listOf("names or values", NAME_OR_VALUE), 'Give `classes: ["building"]`, for example.'),
  classNames: rules.hinted(NAMES, 'Give `new Map([[1, "building"]])`, for example.'),
  connectivity: { expected: "4 or 8", accepts: (value) => value === 4 || value === 8 },
  minArea: AREA,
  sieve: AREA,
  simplify: rules.length,
  maxVertices: rules.hinted(VERTICES, "Leave it out, or use millions."),
  band: rules.whole(0),
  stripRows: rules.whole(),
  ...rules.work,
};

/** @throws RASTER_NO_TRANSFORM, CLASS_UNKNOWN, INVALID_ARGUMENT */
export function makePlan(raster: Raster, options: PolygonizeOptions): Plan {
  if (!isRaster(raster)) {
    throw new GeoLearnError("INVALID_ARGUMENT", `toPolygons() got ${showValue(raster)} for the raster; expected an open one.`, {
      hint: "Open it first: toPolygons(await openRaster(path), options).",
    });
  }
  checkOptions(options, RULES, "toPolygons()");
  const { band = 0, connectivity = 4, maxVertices = MAX_VERTICES } = options;
  const { transform } = raster;
  if (transform === null) {
    throw new GeoLearnError("RASTER_NO_TRANSFORM", `${raster.name} is not georeferenced; its polygons would have no place.`, {
      hint: "Give the raster a transform, for example by a world file.",
    });
  }
  if (options.band === undefined) {
    requireClassRaster(raster, "If one of its bands holds classes, name it: `band: 0` is the first. A picture must be classified first.");
  }
  if (band >= raster.bands) {
    throw wrongOption("toPolygons()", "band", band, {
      expected: `a band of ${raster.name}, which has ${raster.bands}`,
      hint: `Use 0 to ${raster.bands - 1}.`,
    });
  }
  const names = options.classNames ?? raster.classNames ?? new Map<number, string>();
  const sieve = areaTest(options.sieve ?? 0, transform);
  const minArea = areaTest(options.minArea ?? 0, transform);
  return {
    band,
    connectivity,
    wanted: options.classes === undefined ? null : wantedValues(options.classes, names, raster.name),
    className: classNamer(names),
    transform,
    rowArea: rowAreas(raster, transform),
    keeps: minArea === null ? () => true : (pixels, area) => !minArea(pixels, area),
    isSmall: sieve,
    simplify: simplifyPlan(options.simplify ?? 0, raster, transform),
    maxVertices,
  };
}

function classNamer(names: ReadonlyMap<number, string>): (value: number) => string {
  const known = new Map(names);
  return (value) => {
    let name = known.get(value);
    if (name === undefined) known.set(value, (name = String(value)));
    return name;
  };
}

/** "Is smaller than" for an area option; null for 0. */
function areaTest(input: number | string, transform: Affine): ((pixels: number, area: number) => boolean) | null {
  const { value, unit } = parseLength(input);
  if (value === 0) return null;
  const pixel = pixelArea(transform);
  return unit === "crs" ? (pixels) => pixels * pixel < value : (_pixels, area) => area < value;
}

function wantedValues(classes: readonly (string | number)[], names: ReadonlyMap<number, string>, raster: string): Set<number> {
  const values = new Map([...names].map(([value, name]) => [name, value]));
  return new Set(
    classes.map((wanted) => {
      const value = typeof wanted === "number" ? wanted : values.get(wanted);
      if (value !== undefined) return value;
      const known = [...names].map(([number, name]) => `${name} (${number})`).join(", ");
      throw new GeoLearnError("CLASS_UNKNOWN", `${raster} has no class named "${wanted}".`, {
        hint: known === "" ? "The raster carries no class names; use values, or give `classNames`." : `It has ${known}.`,
        data: { wanted },
      });
    }),
  );
}

function simplifyPlan(input: number | string, raster: Raster, [a, b, c, d, e, f]: Affine): SimplifyPlan | null {
  const { value, unit } = parseLength(input);
  if (value === 0) return null;
  if (unit === "crs" || raster.crs === null) return { tolerance: value, metric: [a, b, d, e] };
  const [col, row] = [raster.width / 2, raster.height / 2];
  const scale = metresPerUnit(raster.crs, a * col + b * row + c, d * col + e * row + f);
  return { tolerance: value, metric: [a * scale.x, b * scale.x, d * scale.y, e * scale.y] };
}
