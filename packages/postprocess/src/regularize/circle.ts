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
    let [weights, sx, sy] = [0, 0, 0];
    const add = (i: number, distance: number): void => {
      const weight = Math.exp(-((distance / sigma) ** 2) / 2) * (length[(i % count) + 1]! - length[i % count]!);
      weights += weight;
      sx += weight * ((px[i % count]! + px[(i % count) + 1]!) / 2);
      sy += weight * ((py[i % count]! + py[(i % count) + 1]!) / 2);
    };
    for (let step = 0; step < count / 2; step++) {
      const distance = length[k + step]! - length[k]!;
      if (distance > 3 * sigma) break;
      add(k + step, distance);
    }
    for (let step = 1; step <= count / 2; step++) {
      const distance = length[k + count]! - length[k + count - step]!;
      if (distance > 3 * sigma) break;
      add(k + count - step, distance);
    }
    smooth[2 * k] = weights > 0 ? sx / weights : px[k]!;
    smooth[2 * k + 1] = weights > 0 ? sy / weights : py[k]!;
  }
  let around = 0;
  for (let k = 0; k < count; k++) {
    const next = (2 * k + 2) % smooth.length;
    around += Math.hypot(smooth[next]! - smooth[2 * k]!, smooth[next + 1]! - smooth[2 * k + 1]!);
  }
  return around > 0 && perimeter > 0 ? (4 * Math.PI * Math.abs(ringArea(smooth))) / around ** 2 : 0;
}

/** The circle with the outline's area around the point from which its distances differ least (Gauss-Newton); null without one. */
export function fitCircle(outline: Outline): Circle | null {
  const { count, px, py, length, x, y, area } = outline;
  const total = length[count]!;
  let [cx, cy] = [x[count]! / total, y[count]! / total];
  for (let round = 0; round < 20; round++) {
    let [radius, ux, uy, a, b, c] = [0, 0, 0, 0, 0, 0];
    let [e, f] = [0, 0];
    for (let k = 0; k < count; k++) {
      const weight = length[k + 1]! - length[k]!;
      const dx = (px[k]! + px[k + 1]!) / 2 - cx;
      const dy = (py[k]! + py[k + 1]!) / 2 - cy;
      const distance = Math.hypot(dx, dy);
      if (!(distance > 0)) return null;
      const [nx, ny] = [dx / distance, dy / distance];
      radius += weight * distance;
      ux += weight * nx;
      uy += weight * ny;
      a += weight * nx * nx;
      b += weight * nx * ny;
      c += weight * ny * ny;
      e += weight * distance * nx;
      f += weight * distance * ny;
    }
    // normal equations of distance = radius + shift . n, the radius taken out
    const [A, B, C] = [a - (ux * ux) / total, b - (ux * uy) / total, c - (uy * uy) / total];
    const [E, F] = [e - (radius * ux) / total, f - (radius * uy) / total];
    const determinant = A * C - B * B;
    if (!(Math.abs(determinant) > 1e-12 * total * total)) return null;
    const [sx, sy] = [(E * C - F * B) / determinant, (A * F - B * E) / determinant];
    cx += sx;
    cy += sy;
    if (!Number.isFinite(cx + cy)) return null;
    if (Math.hypot(sx, sy) < 1e-9 * Math.sqrt(area)) break;
  }
  const radius = Math.sqrt(area / Math.PI);
  let cost = 0;
  for (let k = 0; k < count; k++) {
    const distance = Math.hypot((px[k]! + px[k + 1]!) / 2 - cx, (py[k]! + py[k + 1]!) / 2 - cy);
    cost += (length[k + 1]! - length[k]!) * (distance - radius) ** 2;
  }
  return { x: cx, y: cy, radius, cost };
}

/**
 * The circle as a ring of x, y pairs, counter-clockwise: a regular polygon of the same area with 16 to 64 corners, a multiple of
 * four, and as many as leave no edge shorter than `shortest`.
 */
export function circleRing({ x, y, radius }: Circle, shortest: number): Float64Array {
  const corners = Math.min(64, Math.max(16, 4 * Math.floor((2 * Math.PI * radius) / shortest / 4)));
  const reach = radius * Math.sqrt((2 * Math.PI) / (corners * Math.sin((2 * Math.PI) / corners)));
  const ring = new Float64Array(2 * corners);
  for (let k = 0; k < corners; k++) {
    const angle = (2 * Math.PI * k) / corners;
    ring[2 * k] = x + reach * Math.cos(angle);
    ring[2 * k + 1] = y + reach * Math.sin(angle);
  }
  return ring;
}
