/**
 * On which side of a line a point lies, without rounding errors: the determinant in doubles where its error bound allows,
 * else summed exactly in floating-point expansions (Shewchuk 1997, Adaptive Precision Floating-Point Arithmetic).
 */

const SPLITTER = 2 ** 27 + 1;
const ERROR_BOUND = (3 + 16 * 2 ** -53) * 2 ** -53;

/** Positive when a, b, c turn left, negative when right, 0 when they are on one line. */
export function orientation(ax: number, ay: number, bx: number, by: number, cx: number, cy: number): number {
  const left = (ax - cx) * (by - cy);
  const right = (ay - cy) * (bx - cx);
  const determinant = left - right;
  if (Math.abs(determinant) > ERROR_BOUND * (Math.abs(left) + Math.abs(right))) return determinant;
  // edges that follow each other ask this of the corner they share
  if ((cx === ax && cy === ay) || (cx === bx && cy === by)) return 0;
  return exactSign([
    [ax, by],
    [-ay, bx],
    [bx, cy],
    [-by, cx],
    [cx, ay],
    [-cy, ax],
  ]);
}

/** Sign of a sum of products. */
function exactSign(products: readonly (readonly [number, number])[]): number {
  let sum: number[] = [];
  for (const [a, b] of products) {
    const high = a * b;
    sum = grow(grow(sum, productTail(a, b, high)), high);
  }
  for (let i = sum.length - 1; i >= 0; i -= 1) if (sum[i] !== 0) return Math.sign(sum[i]!);
  return 0;
}

/** What `high` lacks of a * b. */
function productTail(a: number, b: number, high: number): number {
  const ca = SPLITTER * a;
  const ah = ca - (ca - a);
  const al = a - ah;
  const cb = SPLITTER * b;
  const bh = cb - (cb - b);
  const bl = b - bh;
  return al * bl - (high - ah * bh - al * bh - ah * bl);
}

/** Adds a number to an expansion whose parts do not overlap, smallest first. */
function grow(expansion: readonly number[], value: number): number[] {
  const grown: number[] = [];
  let carry = value;
  for (const part of expansion) {
    const sum = carry + part;
    const virtual = sum - carry;
    grown.push(carry - (sum - virtual) + (part - virtual));
    carry = sum;
  }
  grown.push(carry);
  return grown;
}
