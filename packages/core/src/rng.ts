/**
 * A small seeded generator whose whole state is four integers, so that it can be written into a checkpoint:
 * sfc32 of Chris Doty-Humphrey's PractRand, seeded through splitmix32.
 */

/** State of an {@link Rng}, four unsigned 32-bit integers. */
export type RngState = readonly [number, number, number, number];

/** A seeded random generator. */
export interface Rng {
  /** Uniform in [0, 1), 32 random bits. */
  next(): number;
  /** Uniform integer in [0, n). */
  int(n: number): number;
  /** Normal deviate, mean 0, standard deviation 1 (Box-Muller, one draw per call). */
  normal(): number;
  /** A permutation of 0..n-1 (Fisher-Yates). */
  permutation(n: number): Uint32Array;
  /** The state, to be given to {@link createRng} later. */
  state(): RngState;
}

function splitmix32(seed: number): () => number {
  let s = seed | 0;
  return () => {
    s = (s + 0x9e3779b9) | 0;
    let t = s ^ (s >>> 16);
    t = Math.imul(t, 0x21f0aaad);
    t ^= t >>> 15;
    t = Math.imul(t, 0x735a2d97);
    return (t ^ (t >>> 15)) >>> 0;
  };
}

/**
 * A generator from a seed, several seeds (so that each chip of each epoch has its own stream), or a saved state.
 *
 * @example
 * const rng = createRng([7, epoch, index]);
 * rng.int(4); // the same quarter turn whenever this chip of this epoch is read
 */
export function createRng(seed: number | readonly number[] | { readonly state: RngState }): Rng {
  let a: number;
  let b: number;
  let c: number;
  let d: number;
  if (typeof seed === "object" && "state" in seed) {
    [a, b, c, d] = seed.state;
  } else {
    let mixed = 0x6a09e667;
    for (const part of typeof seed === "number" ? [seed] : seed) {
      mixed = splitmix32(mixed ^ Math.imul(part | 0, 0x85ebca6b) ^ Math.imul(Math.floor(part / 4294967296) | 0, 0xc2b2ae35))();
    }
    const next = splitmix32(mixed);
    [a, b, c, d] = [next(), next(), next(), 1];
  }
  const draw = (): number => {
    const t = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + t;
    c |= 0;
    return t >>> 0;
  };
  if (!(typeof seed === "object" && "state" in seed)) for (let i = 0; i < 12; i++) draw();
  const next = (): number => draw() / 4294967296;
  const int = (n: number): number => Math.floor(next() * n);
  return {
    next,
    int,
    normal: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
    permutation(n) {
      const p = Uint32Array.from({ length: n }, (_, i) => i);
      for (let i = n - 1; i > 0; i--) {
        const j = int(i + 1);
        const t = p[i]!;
        p[i] = p[j]!;
        p[j] = t;
      }
      return p;
    },
    state: () => [a >>> 0, b >>> 0, c >>> 0, d >>> 0],
  };
}
