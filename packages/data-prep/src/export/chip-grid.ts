/** Where chips are cut: a regular grid whose last column and row are moved back so that they end at the border. */

/** Origins along one axis that cover `length` pixels; one origin, 0, when the chip is longer. */
export function chipOrigins(length: number, chip: number, stride: number): number[] {
  if (length <= chip) return [0];
  const origins: number[] = [];
  for (let at = 0; at + chip <= length; at += stride) origins.push(at);
  const last = length - chip;
  // a gap is left only where the stride is larger than the chip, which the caller asked for
  if (origins.at(-1)! + chip < length && origins.at(-1)! < last) origins.push(last);
  return origins;
}

/** Columns of chips that are read together, so that memory stays bounded however wide the raster is. */
export interface Panel {
  readonly col: number;
  readonly width: number;
  /** Chip origins from the raster's left edge. */
  readonly origins: readonly number[];
}

/**
 * Groups of neighbouring chip columns.
 *
 * @param bytesPerColumn memory one pixel column takes while a row of chips is worked on
 * @param budget bytes per panel; a fixed number, so that chips are numbered the same on every machine
 */
export function chipPanels(origins: readonly number[], chip: number, bytesPerColumn: number, budget: number): Panel[] {
  const widest = Math.max(chip, Math.floor(budget / bytesPerColumn));
  const panels: Panel[] = [];
  let start = 0;
  while (start < origins.length) {
    let end = start + 1;
    while (end < origins.length && origins[end]! + chip - origins[start]! <= widest) end++;
    const own = origins.slice(start, end);
    panels.push({ col: own[0]!, width: own.at(-1)! + chip - own[0]!, origins: own });
    start = end;
  }
  return panels;
}

/** Angles of the copies of a chip, degrees, the chip itself (0) first. */
export function copyAngles(rotation: number): number[] {
  if (rotation === 0) return [0];
  const angles: number[] = [];
  for (let k = 0; k * rotation < 360 - 1e-9; k++) angles.push(k * rotation);
  return angles;
}
