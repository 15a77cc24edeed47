/** The options of an outline job, checked and in the units the work needs. */

import {
  type Affine,
  checkOptionNames,
  GeoLearnError,
  type OptionNames,
  type Raster,
  metresPerUnit,
  parseLength,
  pixelArea,
  requireClassRaster,
  showValue,
  WORK_OPTIONS,
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

const POLYGONIZE_OPTIONS: OptionNames<PolygonizeOptions> = {
  classes: true,
  classNames: true,
  connectivity: true,
  minArea: true,
  sieve: true,
  simplify: true,
  maxVertices: true,
  band: true,
  stripRows: true,
  ...WORK_OPTIONS,
};

/** @throws RASTER_NO_TRANSFORM, CLASS_UNKNOWN, INVALID_ARGUMENT */
export function makePlan(raster: Raster, options: PolygonizeOptions): Plan {
  checkOptionNames(options, POLYGONIZE_OPTIONS, "toPolygons()");
  const { band = 0, connectivity = 4, stripRows, maxVertices = MAX_VERTICES } = options;
  const { transform } = raster;
  if (transform === null) {
    throw new GeoLearnError("RASTER_NO_TRANSFORM", `${raster.name} is not georeferenced; its polygons would have no place.`, {
      hint: "Give the raster a transform, for example by a world file.",
    });
  }
  if (options.band === undefined) {
    requireClassRaster(raster, "If one of its bands holds classes, name it: `band: 0` is the first. A picture must be classified first.");
  }
  if (!Number.isInteger(band) || band < 0 || band >= raster.bands) {
    throw wrong(`${raster.name} has ${raster.bands} bands; band ${band} is none of them.`, `Use 0 to ${raster.bands - 1}.`);
  }
  if (options.classes !== undefined && !Array.isArray(options.classes)) {
    throw wrong(
      `\`classes\` is ${showValue(options.classes)}; expected a list of names or values.`,
      'Give `classes: ["building"]`, for example.',
    );
  }
  if (options.classNames !== undefined && !((options.classNames as unknown) instanceof Map)) {
    throw wrong(
      `\`classNames\` is ${showValue(options.classNames)}; expected a Map of names by value.`,
      'Give `new Map([[1, "building"]])`, for example.',
    );
  }
  if (connectivity !== 4 && connectivity !== 8) throw wrong(`Connectivity ${String(connectivity)} is unknown.`, "Use 4 or 8.");
  if (stripRows !== undefined && !(Number.isInteger(stripRows) && stripRows > 0)) {
    throw wrong(`Strips of ${stripRows} rows cannot be read.`, "Use an integer of at least 1.");
  }
  if (!(maxVertices >= 16))
    throw wrong(`maxVertices is ${maxVertices}; expected a number of at least 16.`, "Leave it out, or use millions.");
  const names = options.classNames ?? raster.classNames ?? new Map<number, string>();
  const sieve = areaTest("sieve", options.sieve ?? 0, transform);
  const minArea = areaTest("minArea", options.minArea ?? 0, transform);
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
function areaTest(option: string, input: number | string, transform: Affine): ((pixels: number, area: number) => boolean) | null {
  const { value, unit } = parseLength(input);
  if (value < 0) throw wrong(`${option} ${input} is negative.`, "Use an area of at least 0.");
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
  if (value < 0) throw wrong(`simplify ${input} is negative.`, "Use a tolerance of at least 0.");
  if (value === 0) return null;
  if (unit === "crs" || raster.crs === null) return { tolerance: value, metric: [a, b, d, e] };
  const [col, row] = [raster.width / 2, raster.height / 2];
  const scale = metresPerUnit(raster.crs, a * col + b * row + c, d * col + e * row + f);
  return { tolerance: value, metric: [a * scale.x, b * scale.x, d * scale.y, e * scale.y] };
}

function wrong(message: string, hint: string): GeoLearnError {
  return new GeoLearnError("INVALID_ARGUMENT", message, { hint });
}
