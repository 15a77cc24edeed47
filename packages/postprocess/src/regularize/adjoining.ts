/** Which polygons touch or overlap, and by how much. Rings are x, y pairs, closed by themselves. */

/** Box of a ring: xmin, ymin, xmax, ymax. */
export function ringBox(ring: Float64Array): readonly [number, number, number, number] {
  let [xmin, ymin, xmax, ymax] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < ring.length; i += 2) {
    xmin = Math.min(xmin, ring[i]!);
    xmax = Math.max(xmax, ring[i]!);
    ymin = Math.min(ymin, ring[i + 1]!);
    ymax = Math.max(ymax, ring[i + 1]!);
  }
  return [xmin, ymin, xmax, ymax];
}

/** True when edges of two rings come within `reach` of each other's boxes and meet: cross, touch, or run along each other. */
export function ringsMeet(one: Float64Array, other: Float64Array, reach: number): boolean {
  const [a, b] = [ringBox(one), ringBox(other)];
  const box = [
    Math.max(a[0], b[0]) - reach,
    Math.max(a[1], b[1]) - reach,
    Math.min(a[2], b[2]) + reach,
    Math.min(a[3], b[3]) + reach,
  ] as const;
  if (box[0] > box[2] || box[1] > box[3]) return false;
  const near = edgesIn(other, box);
  return edgesIn(one, box).some((i) => near.some((j) => edgesMeet(one, i, other, j, reach)));
}

/** Edges (at their first coordinate) that reach into a box. */
function edgesIn(ring: Float64Array, [xmin, ymin, xmax, ymax]: readonly [number, number, number, number]): number[] {
  const found: number[] = [];
  for (let i = 0; i < ring.length; i += 2) {
    const next = (i + 2) % ring.length;
    if (Math.max(ring[i]!, ring[next]!) < xmin || Math.min(ring[i]!, ring[next]!) > xmax) continue;
    if (Math.max(ring[i + 1]!, ring[next + 1]!) < ymin || Math.min(ring[i + 1]!, ring[next + 1]!) > ymax) continue;
    found.push(i);
  }
  return found;
}

function edgesMeet(one: Float64Array, i: number, other: Float64Array, j: number, reach: number): boolean {
  const [i2, j2] = [(i + 2) % one.length, (j + 2) % other.length];
  const [ax, ay, bx, by] = [one[i]!, one[i + 1]!, one[i2]!, one[i2 + 1]!];
  const [cx, cy, dx, dy] = [other[j]!, other[j + 1]!, other[j2]!, other[j2 + 1]!];
  if (Math.max(ax, bx) + reach < Math.min(cx, dx) || Math.max(cx, dx) + reach < Math.min(ax, bx)) return false;
  if (Math.max(ay, by) + reach < Math.min(cy, dy) || Math.max(cy, dy) + reach < Math.min(ay, by)) return false;
  // a line keeps both ends of the other edge on one side, farther than `reach`
  return !isApart(ax, ay, bx, by, cx, cy, dx, dy, reach) && !isApart(cx, cy, dx, dy, ax, ay, bx, by, reach);
}

function isApart(ax: number, ay: number, bx: number, by: number, cx: number, cy: number, dx: number, dy: number, reach: number): boolean {
  const long = Math.hypot(bx - ax, by - ay);
  if (long === 0) return false;
  const c = ((bx - ax) * (cy - ay) - (by - ay) * (cx - ax)) / long;
  const d = ((bx - ax) * (dy - ay) - (by - ay) * (dx - ax)) / long;
  return Math.min(Math.abs(c), Math.abs(d)) > reach && c > 0 === d > 0;
}

/**
 * Area that two polygons have in common: between heights at which any edge begins, ends or crosses another, the widths of what they
 * share change evenly, so that the width halfway times the height is exact.
 */
export function sharedArea(one: readonly Float64Array[], other: readonly Float64Array[]): number {
  const [a, b] = [ringBox(one[0]!), ringBox(other[0]!)];
  const [left, right] = [Math.max(a[0], b[0]), Math.min(a[2], b[2])];
  const [low, high] = [Math.max(a[1], b[1]), Math.min(a[3], b[3])];
  if (low >= high || left >= right) return 0;
  const [own, against] = [edgesBetween(one, low, high), edgesBetween(other, low, high)];
  const heights = [low, high];
  for (const { ay } of [...own, ...against]) if (ay > low && ay < high) heights.push(ay);
  const reaching = ({ ax, bx }: Edge): boolean => Math.max(ax, bx) >= left && Math.min(ax, bx) <= right;
  addCrossings(heights, own.filter(reaching), against.filter(reaching), low, high);
  heights.sort((p, q) => p - q);
  const [ownAt, againstAt] = [crossingsUpwards(own), crossingsUpwards(against)];
  let area = 0;
  for (let k = 1; k < heights.length; k++) {
    const height = heights[k]! - heights[k - 1]!;
    if (!(height > 0)) continue;
    const middle = (heights[k]! + heights[k - 1]!) / 2;
    area += height * sharedWidth(ownAt(middle), againstAt(middle));
  }
  return area;
}

interface Edge {
  readonly ax: number;
  readonly ay: number;
  readonly bx: number;
  readonly by: number;
}

/** Edges that reach between two heights. */
function edgesBetween(rings: readonly Float64Array[], low: number, high: number): Edge[] {
  const edges: Edge[] = [];
  for (const ring of rings) {
    for (let i = 0; i < ring.length; i += 2) {
      const next = (i + 2) % ring.length;
      const [ay, by] = [ring[i + 1]!, ring[next + 1]!];
      if ((ay >= low || by >= low) && (ay <= high || by <= high)) edges.push({ ax: ring[i]!, ay, bx: ring[next]!, by });
    }
  }
  return edges;
}

/** Adds the heights at which edges of one cross edges of the other. */
function addCrossings(heights: number[], one: readonly Edge[], other: readonly Edge[], low: number, high: number): void {
  for (const { ax, ay, bx, by } of one) {
    const [dx, dy] = [bx - ax, by - ay];
    for (const edge of other) {
      const [cx, cy] = [edge.ax, edge.ay];
      const [ex, ey] = [edge.bx - cx, edge.by - cy];
      const cross = dx * ey - dy * ex;
      if (cross === 0) continue;
      const s = ((cx - ax) * ey - (cy - ay) * ex) / cross;
      if (!(s > 0 && s < 1)) continue;
      const t = ((cx - ax) * dy - (cy - ay) * dx) / cross;
      if (!(t > 0 && t < 1)) continue;
      const y = ay + s * dy;
      if (y > low && y < high) heights.push(y);
    }
  }
}

/** Where edges cross one height after another, each from left to right: inside between the first and the second, and so on. */
function crossingsUpwards(edges: readonly Edge[]): (y: number) => readonly number[] {
  const waiting = edges.toSorted((p, q) => Math.min(q.ay, q.by) - Math.min(p.ay, p.by));
  let active: Edge[] = [];
  const found: number[] = [];
  return (y) => {
    active = active.filter(({ ay, by }) => Math.max(ay, by) > y);
    for (let edge = waiting.at(-1); edge !== undefined && Math.min(edge.ay, edge.by) <= y; edge = waiting.at(-1)) {
      waiting.pop();
      if (Math.max(edge.ay, edge.by) > y) active.push(edge);
    }
    found.length = 0;
    for (const { ax, ay, bx, by } of active) {
      const x = ax + ((y - ay) / (by - ay)) * (bx - ax);
      let at = found.push(x) - 1;
      // they are few
      for (; at > 0 && found[at - 1]! > x; at--) found[at] = found[at - 1]!;
      found[at] = x;
    }
    return found;
  };
}

function sharedWidth(one: readonly number[], other: readonly number[]): number {
  let width = 0;
  for (let i = 0; i + 1 < one.length; i += 2) {
    for (let j = 0; j + 1 < other.length; j += 2) width += Math.max(0, Math.min(one[i + 1]!, other[j + 1]!) - Math.max(one[i]!, other[j]!));
  }
  return width;
}
