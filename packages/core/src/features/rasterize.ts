/**
 * Burning shapes into a grid. The rules are GDAL's (`gdal_rasterize`, `rasterio.features.rasterize`), pixel for pixel:
 * a polygon takes the pixels whose centre it holds, a line the pixels of Bresenham's walk between the pixels of its
 * vertices, a point its pixel; with `allTouched` polygons and lines take every pixel they pass through.
 */

import type { Geometry, Position } from "geojson";

import type { Affine } from "../affine.ts";
import { GeoLearnError } from "../errors.ts";
import type { SampleType, Samples } from "../raster/raster.ts";
import { createSamples } from "../raster/samples.ts";
import { type Path, burnLine, burnTouched, fillPolygon } from "./burn.ts";

/** A geometry and the value its pixels get. */
export interface Shape {
  /** In the world coordinates of the grid. Null burns nothing. */
  readonly geometry: Geometry | null;
  readonly value: number;
}

/** Options of {@link rasterize}. */
export interface RasterizeOptions<T extends Samples = Samples> {
  /** Size of the grid in pixels. */
  readonly width: number;
  readonly height: number;
  /** Pixel to world. */
  readonly transform: Affine;
  /** Burn every pixel a shape passes through, not only those whose centre lies inside. @defaultValue false */
  readonly allTouched?: boolean;
  /** Value of pixels that no shape covers; not used with `out`. @defaultValue 0 */
  readonly fill?: number;
  /** Burn into this array of `height * width` samples instead of a new one; what no shape covers stays. */
  readonly out?: T;
  /** Type of a new array. @defaultValue "uint8" */
  readonly sampleType?: SampleType;
}

/**
 * Burns shapes in their order, so that **where shapes overlap the later one wins**.
 *
 * @returns `out`, or a new array, row by row
 * @throws INVALID_ARGUMENT for a value that the array cannot hold, GEOMETRY_INVALID for coordinates that are not finite
 * @example
 * const labels = rasterize([{ geometry: building, value: 1 }], { width: 256, height: 256, transform });
 */
export function rasterize<T extends Samples = Samples>(shapes: Iterable<Shape>, options: RasterizeOptions<T>): T {
  const { width, height, transform, allTouched = false, fill = 0 } = options;
  checkSize(width, height, options.out);
  const out = options.out ?? (createSamples(options.sampleType ?? "uint8", width * height) as T);
  if (options.out === undefined && fill !== 0) {
    checkValue(fill, out, "fill");
    out.fill(fill);
  }
  const grid = { out, width, height };
  const toPixels = pixelProjection(transform);
  for (const { geometry, value } of shapes) {
    if (geometry === null) continue;
    checkValue(value, out, "value of a shape");
    burnGeometry(geometry, value);
  }
  return out;

  function burnGeometry(geometry: Geometry, value: number): void {
    switch (geometry.type) {
      case "Polygon":
        burnPolygon(geometry.coordinates, value);
        break;
      case "MultiPolygon":
        for (const polygon of geometry.coordinates) burnPolygon(polygon, value);
        break;
      case "LineString":
        burnPath(geometry.coordinates, value);
        break;
      case "MultiLineString":
        for (const line of geometry.coordinates) burnPath(line, value);
        break;
      case "Point":
        burnPoint(geometry.coordinates, value);
        break;
      case "MultiPoint":
        for (const point of geometry.coordinates) burnPoint(point, value);
        break;
      case "GeometryCollection":
        for (const part of geometry.geometries) burnGeometry(part, value);
        break;
    }
  }

  function burnPolygon(rings: readonly Position[][], value: number): void {
    // Every ring runs clockwise in the world, holes too: what GDAL decides ties on.
    const paths = rings.filter((ring) => ring.length > 2).map((ring) => toPixels(ring, !isClockwise(ring)));
    if (paths.length === 0 || misses(paths, width, height)) return;
    fillPolygon(paths, value, grid);
    if (allTouched) for (const path of paths) burnTouched(path, value, grid, true);
  }

  function burnPath(line: readonly Position[], value: number): void {
    const path = toPixels(line, true);
    if (misses([path], width, height)) return;
    if (allTouched) burnTouched(path, value, grid, false);
    else burnLine(path, value, grid);
  }

  function burnPoint(point: Position, value: number): void {
    if (point.length < 2) return;
    const { xs, ys } = toPixels([point], false);
    const col = Math.floor(xs[0]!);
    const row = Math.floor(ys[0]!);
    if (col >= 0 && col < width && row >= 0 && row < height) out[row * width + col] = value;
  }
}

function checkSize(width: number, height: number, out: Samples | undefined): void {
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 1 || height < 1) {
    throw new GeoLearnError("INVALID_ARGUMENT", `A grid of ${width} x ${height} pixels cannot be burnt into; both must be at least 1.`);
  }
  if (out !== undefined && out.length !== width * height) {
    throw new GeoLearnError(
      "INVALID_ARGUMENT",
      `The array holds ${out.length} samples; ${width} x ${height} pixels need ${width * height}.`,
    );
  }
}

/** Integers must survive the array exactly; a float array may round. */
function checkValue(value: number, out: Samples, what: string): void {
  const probe = new (out.constructor as new (values: number[]) => Samples)([value])[0]!;
  const float = out instanceof Float32Array || out instanceof Float64Array;
  if (float ? Number.isNaN(value) || Number.isFinite(probe) === Number.isFinite(value) : probe === value) return;
  throw new GeoLearnError("INVALID_ARGUMENT", `The ${what}, ${value}, does not fit into ${out.constructor.name}.`, {
    hint: "Choose a larger `sampleType`, or other values.",
    data: { value },
  });
}

/**
 * World to pixel with GDAL's order of operations (`origin + x * scale + y * shear` of the inverted coefficients), because a
 * centre that lies exactly on an edge is decided by the last bit.
 */
function pixelProjection([a, b, c, d, e, f]: Affine): (points: readonly Position[], reverse: boolean) => Path {
  let inverse: readonly number[];
  if (b === 0 && d === 0 && a !== 0 && e !== 0) {
    inverse = [-c / a, 1 / a, 0, -f / e, 0, 1 / e];
  } else {
    const scale = 1 / (a * e - b * d);
    if (!Number.isFinite(scale)) {
      throw new GeoLearnError("INVALID_ARGUMENT", `The transform [${[a, b, c, d, e, f].join(", ")}] maps pixels to a line.`, {
        hint: "Check the pixel size and rotation of the raster.",
      });
    }
    inverse = [(b * f - c * e) * scale, e * scale, -b * scale, (-a * f + c * d) * scale, -d * scale, a * scale];
  }
  const [x0, xx, xy, y0, yx, yy] = inverse as [number, number, number, number, number, number];
  return (points, reverse) => {
    const n = points.length;
    const xs = new Float64Array(n);
    const ys = new Float64Array(n);
    for (let i = 0; i < n; i++) {
      const [x, y] = points[reverse ? n - 1 - i : i]!;
      xs[i] = x0 + x! * xx + y! * xy;
      ys[i] = y0 + x! * yx + y! * yy;
      if (!Number.isFinite(xs[i]!) || !Number.isFinite(ys[i]!)) {
        throw new GeoLearnError("GEOMETRY_INVALID", `A shape has the position [${x}, ${y}], which is not finite.`, {
          hint: "Repair or leave out the geometry.",
        });
      }
    }
    return { xs, ys };
  };
}

/** True when no path can reach the grid. */
function misses(paths: readonly Path[], width: number, height: number): boolean {
  let left = Infinity;
  let right = -Infinity;
  let top = Infinity;
  let bottom = -Infinity;
  for (const { xs, ys } of paths) {
    for (let i = 0; i < xs.length; i++) {
      if (xs[i]! < left) left = xs[i]!;
      if (xs[i]! > right) right = xs[i]!;
      if (ys[i]! < top) top = ys[i]!;
      if (ys[i]! > bottom) bottom = ys[i]!;
    }
  }
  return right < -1 || left > width + 1 || bottom < -1 || top > height + 1;
}

/**
 * Whether a ring runs clockwise with y up, judged at its lowest vertex (the rightmost of them), where the ring cannot be
 * inside itself; by the signed area when the neighbours there are too close to tell.
 */
function isClockwise(ring: readonly Position[]): boolean {
  const last = ring.length - 1;
  const closed = ring[0]![0] === ring[last]![0] && ring[0]![1] === ring[last]![1];
  const n = closed ? last : ring.length;
  let low = 0;
  let spike = false;
  for (let i = 1; i < n; i++) {
    const [x, y] = ring[i]! as [number, number];
    const [lowX, lowY] = ring[low]! as [number, number];
    if (y < lowY || (y === lowY && x > lowX)) {
      low = i;
      spike = false;
    } else if (y === lowY && x === lowX) spike = true;
  }
  if (!spike) {
    const [x, y] = ring[low]! as [number, number];
    const [px, py] = ring[(low + n - 1) % n]! as [number, number];
    const [nx, ny] = ring[(low + 1) % n]! as [number, number];
    const near = 1e-5;
    const tooClose = (Math.abs(px - x) < near && Math.abs(py - y) < near) || (Math.abs(nx - x) < near && Math.abs(ny - y) < near);
    const cross = (nx - x) * (py - y) - (px - x) * (ny - y);
    if (!tooClose && cross !== 0) return cross < 0;
  }
  let doubleArea = 0;
  for (let i = 0; i < n; i++) {
    const [x, y] = ring[i]! as [number, number];
    const [nx, ny] = ring[(i + 1) % n]! as [number, number];
    doubleArea += x * ny - nx * y;
  }
  return doubleArea < 0;
}
