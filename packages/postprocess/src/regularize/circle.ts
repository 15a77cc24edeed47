/** Round buildings: how round an outline is, and the circle that fits it. */

import type { Outline } from "./outline.ts";
import { ringArea } from "./outline.ts";

/** A circle. */
export interface Circle {
  readonly x: number;
  readonly y: number;
  readonly radius: number;
  /** Integral of squared distances of the outline from it. */
  readonly cost: number;
}

/**
 * 4 π area / perimeter², 1 for a circle, of the outline smoothed by a bell curve of width `sigma` along it: the stairs and
 * bumps of a raster's outline would make any shape look ragged.
 */
export function smoothCompactness({ count, px, py, length, perimeter }: Outline, sigma: number): number {
  const smooth = new Float64Array(2 * count);
  for (let k = 0; k < count; k++) {
    let weights = 0;
    let sx = 0;
    let sy = 0;
    // half a turn ahead, then half a turn back, as far as the curve reaches
    for (let step = 0, way = count / 2; step < way; step++) {
      const i = k + step;
      const distance = (length[i]! - length[k]!) / sigma;
      if (distance > 3) break;
      const weight = Math.exp((distance * distance) / -2) * (length[i + 1]! - length[i]!);
      weights += weight;
      sx += weight * (px[i]! + px[i + 1]!);
      sy += weight * (py[i]! + py[i + 1]!);
    }
    for (let step = 1, way = count / 2; step <= way; step++) {
      const i = k + count - step;
      const distance = (length[k + count]! - length[i]!) / sigma;
      if (distance > 3) break;
      const weight = Math.exp((distance * distance) / -2) * (length[i + 1]! - length[i]!);
      weights += weight;
      sx += weight * (px[i]! + px[i + 1]!);
      sy += weight * (py[i]! + py[i + 1]!);
    }
    smooth[2 * k] = weights > 0 ? sx / (2 * weights) : px[k]!;
    smooth[2 * k + 1] = weights > 0 ? sy / (2 * weights) : py[k]!;
  }
  let around = 0;
  for (let k = 0; k < count; k++) {
    const next = (2 * k + 2) % smooth.length;
    around += Math.hypot(smooth[next]! - smooth[2 * k]!, smooth[next + 1]! - smooth[2 * k + 1]!);
  }
  return around > 0 && perimeter > 0 ? (4 * Math.PI * Math.abs(ringArea(smooth))) / around ** 2 : 0;
}

/** Rounds of reweighting. */
const ROUNDS = 30;

/**
 * The circle from which the outline's distances sum up to the least: absolute distances, so that a bump the imagery or the
 * network added to a part of the outline does not drag the circle along. By least squares reweighted with 1 / distance (Gauss-Newton);
 * null when there is none.
 */
export function fitCircle(outline: Outline, spacing: number): Circle | null {
  const { x, y, weight } = samplesOf(outline, spacing);
  const total = outline.length[outline.count]!;
  let [cx, cy] = [outline.x[outline.count]! / total, outline.y[outline.count]! / total];
  let radius = Math.sqrt(outline.area / Math.PI);
  const least = radius / 500;
  for (let round = 0; round < ROUNDS; round++) {
    let [sum, ux, uy, d, a, b, c, e, f] = [0, 0, 0, 0, 0, 0, 0, 0, 0];
    for (let k = 0; k < x.length; k++) {
      const [dx, dy] = [x[k]! - cx, y[k]! - cy];
      const distance = Math.hypot(dx, dy);
      if (!(distance > 0)) return null;
      const w = weight[k]! / Math.max(round === 0 ? radius : least, Math.abs(distance - radius));
      const [nx, ny] = [dx / distance, dy / distance];
      sum += w;
      ux += w * nx;
      uy += w * ny;
      d += w * distance;
      a += w * nx * nx;
      b += w * nx * ny;
      c += w * ny * ny;
      e += w * distance * nx;
      f += w * distance * ny;
    }
    // normal equations of distance = radius + shift . n, with the radius taken out
    const [A, B, C] = [a - (ux * ux) / sum, b - (ux * uy) / sum, c - (uy * uy) / sum];
    const [E, F] = [e - (d * ux) / sum, f - (d * uy) / sum];
    const determinant = A * C - B * B;
    if (!(determinant > 1e-9 * sum * sum)) return null;
    const [sx, sy] = [(E * C - F * B) / determinant, (A * F - B * E) / determinant];
    radius = (d - sx * ux - sy * uy) / sum;
    cx += sx;
    cy += sy;
    if (!Number.isFinite(cx + cy + radius)) return null;
    if (Math.hypot(sx, sy) < 1e-9 * radius) break;
  }
  if (!(radius > 0)) return null;
  let cost = 0;
  for (let k = 0; k < x.length; k++) cost += weight[k]! * (Math.hypot(x[k]! - cx, y[k]! - cy) - radius) ** 2;
  return { x: cx, y: cy, radius, cost };
}

/** Points along the ring's edges, each for a piece no longer than `spacing`. */
function samplesOf({ ring }: Outline, spacing: number): { x: number[]; y: number[]; weight: number[] } {
  const samples = { x: [] as number[], y: [] as number[], weight: [] as number[] };
  for (let i = 0; i < ring.length; i += 2) {
    const next = (i + 2) % ring.length;
    const [ax, ay, dx, dy] = [ring[i]!, ring[i + 1]!, ring[next]! - ring[i]!, ring[next + 1]! - ring[i + 1]!];
    const long = Math.hypot(dx, dy);
    const parts = Math.max(1, Math.ceil(long / spacing));
    for (let part = 0; part < parts; part++) {
      const at = (part + 0.5) / parts;
      samples.x.push(ax + at * dx);
      samples.y.push(ay + at * dy);
      samples.weight.push(long / parts);
    }
  }
  return samples;
}

/** Most corners of a circle's ring. */
const MOST_CORNERS = 64;

/**
 * The circle as a ring of x, y pairs, counter-clockwise: the regular polygon of the circle's area with the most corners, up to 64, that
 * has no side shorter than `shortest`. Null for circles of a smaller radius than that.
 */
export function circleRing({ x, y, radius }: Circle, shortest: number): Float64Array | null {
  let corners = MOST_CORNERS;
  // six sides of a radius of at least `shortest` are long enough
  while (corners > 6 && sideOf(radius, corners) < shortest) corners--;
  if (radius < shortest) return null;
  const reach = cornerRadius(radius, corners);
  const ring = new Float64Array(2 * corners);
  for (let k = 0; k < corners; k++) {
    const angle = (2 * Math.PI * k) / corners;
    ring[2 * k] = x + reach * Math.cos(angle);
    ring[2 * k + 1] = y + reach * Math.sin(angle);
  }
  return ring;
}

/** Distance of the corners from the middle of a regular polygon that has the area of a circle. */
function cornerRadius(radius: number, corners: number): number {
  return radius * Math.sqrt((2 * Math.PI) / (corners * Math.sin((2 * Math.PI) / corners)));
}

function sideOf(radius: number, corners: number): number {
  return 2 * cornerRadius(radius, corners) * Math.sin(Math.PI / corners);
}
