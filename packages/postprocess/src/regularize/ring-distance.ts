/** How far a segment is from a polygon. */

/** Least distance between a segment and the ring (x, y pairs, closed by itself) or what it encloses; 0 when they meet. */
export function ringDistance(ring: Float64Array, ax: number, ay: number, bx: number, by: number): number {
  if (isInside(ring, ax, ay)) return 0;
  let least = Infinity;
  for (let i = 0; i < ring.length; i += 2) {
    const next = (i + 2) % ring.length;
    const [cx, cy, dx, dy] = [ring[i]!, ring[i + 1]!, ring[next]!, ring[next + 1]!];
    if (cross(ax, ay, bx, by, cx, cy, dx, dy)) return 0;
    const ends = Math.min(toSegment(ax, ay, cx, cy, dx, dy), toSegment(bx, by, cx, cy, dx, dy), toSegment(cx, cy, ax, ay, bx, by));
    least = Math.min(least, ends);
  }
  return least;
}

function isInside(ring: Float64Array, x: number, y: number): boolean {
  let inside = false;
  for (let i = 0; i < ring.length; i += 2) {
    const next = (i + 2) % ring.length;
    const [cx, cy, dx, dy] = [ring[i]!, ring[i + 1]!, ring[next]!, ring[next + 1]!];
    if (cy > y !== dy > y && x < cx + ((y - cy) / (dy - cy)) * (dx - cx)) inside = !inside;
  }
  return inside;
}

/** True when each segment has the ends of the other on both of its sides. */
function cross(ax: number, ay: number, bx: number, by: number, cx: number, cy: number, dx: number, dy: number): boolean {
  return side(ax, ay, bx, by, cx, cy) !== side(ax, ay, bx, by, dx, dy) && side(cx, cy, dx, dy, ax, ay) !== side(cx, cy, dx, dy, bx, by);
}

function side(ax: number, ay: number, bx: number, by: number, x: number, y: number): boolean {
  return (bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0;
}

function toSegment(x: number, y: number, ax: number, ay: number, bx: number, by: number): number {
  const [dx, dy] = [bx - ax, by - ay];
  const square = dx * dx + dy * dy;
  const at = square > 0 ? Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / square)) : 0;
  return Math.hypot(x - ax - at * dx, y - ay - at * dy);
}
