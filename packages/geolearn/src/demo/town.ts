/**
 * A made-up town, the same for the same seed: streets, buildings with lit and shaded roof halves and shadows, and, in the
 * very colours of the roofs, car parks, bare soil and fields. Colour alone cannot tell a roof from the ground; shape,
 * shading and shadow can.
 */

import { type Affine, type Crs, type Feature, type Rng, applyAffine, createRng, parseCrs } from "@geolearn/core";

/** A generated scene with its truth. */
export interface Town {
  readonly width: number;
  readonly height: number;
  /** Pixel to world, metres. */
  readonly transform: Affine;
  readonly crs: Crs;
  /** `[3, height, width]`, red, green, blue. */
  readonly pixels: Uint8Array;
  /** Building outlines in world coordinates, with what their roofs are made of as `roof`. */
  readonly buildings: readonly Feature[];
  /** The same place before some of its buildings stood there, in other light, and those buildings. */
  readonly earlier: { readonly pixels: Uint8Array; readonly missing: readonly Feature[] };
}

/** Size and seed of a town. */
export interface TownOptions {
  /** @defaultValue 1536 */
  readonly width?: number;
  /** @defaultValue 1024 */
  readonly height?: number;
  /** @defaultValue 7 */
  readonly seed?: number;
}

type Colour = readonly [number, number, number];
type Point = readonly [x: number, y: number];

interface Box {
  readonly x: number;
  readonly y: number;
  readonly halfLength: number;
  readonly halfWidth: number;
  /** Direction of the long side, radians. */
  readonly angle: number;
}

/** Metres per pixel. */
const RESOLUTION = 0.5;
const ROOFS: readonly Colour[] = [
  [158, 88, 66],
  [126, 122, 118],
  [92, 92, 96],
  [182, 172, 154],
  [112, 106, 78],
];
/** What roofs of these colours are made of. */
const MATERIALS = ["tile", "concrete", "slate", "gravel", "turf"] as const;
const CARS: readonly Colour[] = [
  [226, 226, 224],
  [40, 42, 46],
  [140, 36, 34],
  [52, 70, 120],
];
const GRASS: Colour = [96, 118, 68];
const SOIL: Colour = [152, 120, 90];
const ASPHALT: Colour = [116, 114, 112];

/** Share of the buildings that the earlier image does not show. */
const NEW_BUILDINGS = 0.35;

/** Light of the earlier image beside that of the later one. */
const EARLIER_LIGHT: Colour = [0.94, 0.92, 0.86];

/** Makes the town. */
export function makeTown({ width = 1536, height = 1024, seed = 7 }: TownOptions = {}): Town {
  const rng = createRng(seed);
  const canvas = new Canvas(width, height);
  const transform: Affine = [RESOLUTION, 0, 421_000, 0, -RESOLUTION, 5_283_000];
  paintGround(canvas, rng);
  const angle = (rng.next() - 0.5) * 0.5;
  const streets = layStreets(width, height, angle, rng);
  for (const field of scatterFields(width, height, rng)) canvas.blob(field.x, field.y, field.radius, field.colour, blotOf(rng));
  for (const street of streets) canvas.box(street, ASPHALT, 0, grainOf(rng));
  const { houses, carParks } = placeAlong(streets, width, height, rng);
  for (const park of carParks) paintCarPark(canvas, park, rng);
  const roofs = houses.map((house) => roofOf(house, rng));
  const past = createRng(seed + 1);
  const old = houses.map(() => past.next() >= NEW_BUILDINGS);
  const before = canvas.copy();
  paintHouses(canvas, houses, roofs, houses.map(() => true)); // prettier-ignore
  paintHouses(before, houses, roofs, old);
  const trees = treesAmong(houses, width, height, rng);
  for (const tree of trees) for (const one of [canvas, before]) paintTree(one, tree);
  canvas.noise(rng, 7);
  before.noise(past, 7);
  const buildings = houses.map((wings, i) => outline(wings, transform, i, roofs[i]!.material));
  return {
    width,
    height,
    transform,
    crs: parseCrs(32633),
    pixels: canvas.pixels(),
    buildings,
    earlier: { pixels: before.pixels(EARLIER_LIGHT), missing: buildings.filter((_, i) => !old[i]) },
  };
}

function paintGround(canvas: Canvas, rng: Rng): void {
  const coarse = valueNoise(rng, canvas.width, canvas.height, 96);
  const fine = valueNoise(rng, canvas.width, canvas.height, 9);
  canvas.each((x, y) => {
    const t = Math.min(1, Math.max(0, (coarse(x, y) - 0.35) * 2.2));
    const light = 0.82 + 0.36 * fine(x, y);
    return mix(GRASS, SOIL, t).map((v) => v * light) as unknown as Colour;
  });
}

function layStreets(width: number, height: number, angle: number, rng: Rng): Box[] {
  const reach = Math.hypot(width, height);
  const streets: Box[] = [];
  for (const direction of [angle, angle + Math.PI / 2]) {
    for (let offset = -reach / 2 + rng.next() * 60; offset < reach / 2; offset += 120 + rng.next() * 70) {
      streets.push({
        x: width / 2 - Math.sin(direction) * offset,
        y: height / 2 + Math.cos(direction) * offset,
        halfLength: reach,
        halfWidth: 5 + rng.next() * 3,
        angle: direction,
      });
    }
  }
  return streets;
}

function scatterFields(width: number, height: number, rng: Rng): { x: number; y: number; radius: number; colour: Colour }[] {
  return Array.from({ length: Math.round((width * height) / 9_000) }, () => ({
    x: rng.next() * width,
    y: rng.next() * height,
    radius: 10 + rng.next() * 26,
    colour: ROOFS[rng.int(ROOFS.length)]!,
  }));
}

/** Buildings and car parks side by side along the streets, none over another. */
function placeAlong(streets: readonly Box[], width: number, height: number, rng: Rng): { houses: Box[][]; carParks: Box[] } {
  const taken: { x: number; y: number; radius: number }[] = [];
  const houses: Box[][] = [];
  const carParks: Box[] = [];
  for (const street of streets) {
    for (const side of [-1, 1]) {
      for (let along = -street.halfLength; along < street.halfLength; along += 30 + rng.next() * 16) {
        const long = 10 + rng.next() * 12;
        const wide = 7 + rng.next() * 6;
        const across = side * (street.halfWidth + wide + 5 + rng.next() * 6);
        const x = street.x + Math.cos(street.angle) * along - Math.sin(street.angle) * across;
        const y = street.y + Math.sin(street.angle) * along + Math.cos(street.angle) * across;
        const radius = Math.hypot(long, wide) * 0.92;
        if (x < radius + 4 || y < radius + 4 || x > width - radius - 4 || y > height - radius - 4) continue;
        if (streets.some((s) => s !== street && Math.abs(distanceAcross(s, x, y)) < s.halfWidth + radius)) continue;
        if (taken.some((t) => Math.hypot(t.x - x, t.y - y) < t.radius + radius)) continue;
        taken.push({ x, y, radius });
        const box: Box = { x, y, halfLength: long, halfWidth: wide, angle: street.angle + (rng.next() - 0.5) * 0.1 };
        if (rng.next() < 0.36) carParks.push(box);
        else houses.push(rng.next() < 0.3 ? [box, wingOf(box, rng)] : [box]);
      }
    }
  }
  return { houses, carParks };
}

/** A second, shorter wing at a right angle, so that the outline is an L. */
function wingOf(box: Box, rng: Rng): Box {
  const end = rng.next() < 0.5 ? -1 : 1;
  const halfWidth = box.halfWidth * 0.62;
  const along = end * (box.halfLength - halfWidth);
  const across = box.halfWidth * 0.75;
  return {
    x: box.x + Math.cos(box.angle) * along - Math.sin(box.angle) * across,
    y: box.y + Math.sin(box.angle) * along + Math.cos(box.angle) * across,
    halfLength: box.halfWidth * 0.95,
    halfWidth,
    angle: box.angle + Math.PI / 2,
  };
}

function shadowOf(box: Box): Box {
  return { ...box, x: box.x + 4, y: box.y + 5 };
}

interface Roof {
  readonly colour: Colour;
  readonly material: string;
  readonly contrast: number;
  /** One for each wing. */
  readonly grains: readonly number[];
}

function roofOf(wings: readonly Box[], rng: Rng): Roof {
  const kind = rng.int(ROOFS.length);
  const contrast = 0.1 + rng.next() * 0.12;
  return { colour: ROOFS[kind]!, material: MATERIALS[kind]!, contrast, grains: wings.map(() => grainOf(rng)) };
}

/** All shadows, then all roofs, of the houses that stand. */
function paintHouses(canvas: Canvas, houses: readonly Box[][], roofs: readonly Roof[], standing: readonly boolean[]): void {
  const there = houses.flatMap((wings, i) => (standing[i] ? [{ wings, roof: roofs[i]! }] : []));
  for (const { wings } of there) for (const wing of wings) canvas.shade(shadowOf(wing), 0.5);
  for (const { wings, roof } of there) wings.forEach((wing, k) => canvas.box(wing, roof.colour, roof.contrast, roof.grains[k]!));
}

/** How light a surface is by chance. */
const grainOf = (rng: Rng): number => 0.94 + rng.next() * 0.12;

function paintCarPark(canvas: Canvas, box: Box, rng: Rng): void {
  canvas.box(box, ROOFS[rng.int(ROOFS.length)]!, 0, grainOf(rng));
  for (let car = 0; car < 6; car++) {
    const along = (rng.next() - 0.5) * 2 * (box.halfLength - 4);
    const across = (rng.next() - 0.5) * 2 * (box.halfWidth - 3);
    const x = box.x + Math.cos(box.angle) * along - Math.sin(box.angle) * across;
    const y = box.y + Math.sin(box.angle) * along + Math.cos(box.angle) * across;
    canvas.box({ x, y, halfLength: 3.6, halfWidth: 1.7, angle: box.angle + Math.PI / 2 }, CARS[rng.int(CARS.length)]!, 0, grainOf(rng));
  }
}

interface Tree {
  readonly x: number;
  readonly y: number;
  readonly radius: number;
  readonly blot: Blot;
}

function treesAmong(houses: readonly Box[][], width: number, height: number, rng: Rng): Tree[] {
  const trees: Tree[] = [];
  for (let i = 0; i < (width * height) / 2_600; i++) {
    const x = rng.next() * width;
    const y = rng.next() * height;
    const radius = 3 + rng.next() * 6;
    if (houses.some((h) => h.some((b) => Math.hypot(b.x - x, b.y - y) < b.halfLength + radius))) continue;
    trees.push({ x, y, radius, blot: blotOf(rng) });
  }
  return trees;
}

function paintTree(canvas: Canvas, { x, y, radius, blot }: Tree): void {
  canvas.shadeDisc(x + 3, y + 4, radius, 0.6);
  canvas.blob(x, y, radius, [58, 84, 46], blot);
}

/** The edge of a blot, as waves around a circle, and how light it is. */
interface Blot {
  readonly waves: readonly (readonly [size: number, phase: number])[];
  readonly grain: number;
}

function blotOf(rng: Rng): Blot {
  const waves = Array.from({ length: 4 }, () => [rng.next() * 0.16, rng.next() * 2 * Math.PI] as const);
  return { waves, grain: 0.92 + rng.next() * 0.16 };
}

/** The outline of one or two overlapping right-angled boxes, as a polygon feature in world coordinates. */
function outline(wings: readonly Box[], transform: Affine, id: number, roof: string): Feature {
  const main = wings[0]!;
  const wing = wings[1];
  const corner = (box: Box, along: number, across: number): Point => [
    box.x + Math.cos(box.angle) * along - Math.sin(box.angle) * across,
    box.y + Math.sin(box.angle) * along + Math.cos(box.angle) * across,
  ];
  const { halfLength: l, halfWidth: w } = main;
  let ring: Point[] = [corner(main, -l, -w), corner(main, l, -w), corner(main, l, w), corner(main, -l, w)];
  if (wing) {
    // The wing stands flush with one end of the main box and reaches beyond its long side.
    const outward = main.halfWidth * 0.75 + wing.halfLength;
    const from = 2 * wing.halfWidth;
    const atRight = (wing.x - main.x) * Math.cos(main.angle) + (wing.y - main.y) * Math.sin(main.angle) > 0;
    ring = atRight
      ? [
          corner(main, -l, -w),
          corner(main, l, -w),
          corner(main, l, outward),
          corner(main, l - from, outward),
          corner(main, l - from, w),
          corner(main, -l, w),
        ]
      : [
          corner(main, -l, -w),
          corner(main, l, -w),
          corner(main, l, w),
          corner(main, -l + from, w),
          corner(main, -l + from, outward),
          corner(main, -l, outward),
        ];
  }
  const coordinates = ring.map(([x, y]) => applyAffine(transform, x, y));
  coordinates.push(coordinates[0]!);
  return { id, geometry: { type: "Polygon", coordinates: [coordinates] }, properties: { class: 1, roof } };
}

/** Signed distance of a point from the axis of a street. */
function distanceAcross(street: Box, x: number, y: number): number {
  return -(x - street.x) * Math.sin(street.angle) + (y - street.y) * Math.cos(street.angle);
}

function mix(a: Colour, b: Colour, t: number): Colour {
  return [a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t];
}

/** Smooth noise in [0, 1): random values on a grid of `cell` pixels, interpolated. */
function valueNoise(rng: Rng, width: number, height: number, cell: number): (x: number, y: number) => number {
  const columns = Math.ceil(width / cell) + 2;
  const values = Float32Array.from({ length: columns * (Math.ceil(height / cell) + 2) }, () => rng.next());
  return (x, y) => {
    const gx = Math.floor(x / cell);
    const gy = Math.floor(y / cell);
    const fx = smooth(x / cell - gx);
    const fy = smooth(y / cell - gy);
    const at = (i: number, j: number): number => values[(gy + j) * columns + gx + i]!;
    return (at(0, 0) * (1 - fx) + at(1, 0) * fx) * (1 - fy) + (at(0, 1) * (1 - fx) + at(1, 1) * fx) * fy;
  };
}

function smooth(t: number): number {
  return t * t * (3 - 2 * t);
}

/** Where the town is painted: float colours, band after band. */
class Canvas {
  readonly width: number;
  readonly height: number;
  readonly #values: Float32Array;

  constructor(width: number, height: number) {
    this.width = width;
    this.height = height;
    this.#values = new Float32Array(3 * width * height);
  }

  each(colour: (x: number, y: number) => Colour): void {
    for (let y = 0; y < this.height; y++) for (let x = 0; x < this.width; x++) this.#set(x, y, colour(x, y));
  }

  /** A rotated box; with `contrast` the half turned to the light is brighter and the other darker, as on a pitched roof. */
  box(box: Box, colour: Colour, contrast: number, grain: number): void {
    this.#insideBox(box, (x, y, _along, across) => {
      const light = grain * (1 + (across < 0 ? contrast : -contrast));
      this.#set(x, y, [colour[0] * light, colour[1] * light, colour[2] * light]);
    });
  }

  shade(box: Box, light: number): void {
    this.#insideBox(box, (x, y) => this.#scale(x, y, light));
  }

  shadeDisc(cx: number, cy: number, radius: number, light: number): void {
    this.#near(cx, cy, radius, (x, y) => {
      if (Math.hypot(x + 0.5 - cx, y + 0.5 - cy) <= radius) this.#scale(x, y, light);
    });
  }

  /** A blot with an uneven edge. */
  blob(cx: number, cy: number, radius: number, colour: Colour, { waves, grain }: Blot): void {
    this.#near(cx, cy, radius * 1.7, (x, y) => {
      const theta = Math.atan2(y + 0.5 - cy, x + 0.5 - cx);
      const edge = waves.reduce((sum, [size, phase], k) => sum + size * Math.sin((k + 2) * theta + phase), 1);
      if (Math.hypot(x + 0.5 - cx, y + 0.5 - cy) <= radius * edge)
        this.#set(x, y, [colour[0] * grain, colour[1] * grain, colour[2] * grain]);
    });
  }

  noise(rng: Rng, deviation: number): void {
    for (let i = 0; i < this.#values.length; i++) this.#values[i] = this.#values[i]! + rng.normal() * deviation;
  }

  /** In light of a colour. */
  pixels(light: Colour = [1, 1, 1]): Uint8Array {
    const plane = this.width * this.height;
    return Uint8Array.from(this.#values, (v, i) => Math.min(255, Math.max(0, Math.round(v * light[Math.floor(i / plane)]!))));
  }

  copy(): Canvas {
    const copy = new Canvas(this.width, this.height);
    copy.#values.set(this.#values);
    return copy;
  }

  #insideBox(box: Box, paint: (x: number, y: number, along: number, across: number) => void): void {
    const cos = Math.cos(box.angle);
    const sin = Math.sin(box.angle);
    const reachX = Math.abs(cos) * box.halfLength + Math.abs(sin) * box.halfWidth;
    const reachY = Math.abs(sin) * box.halfLength + Math.abs(cos) * box.halfWidth;
    const lastX = Math.min(this.width, Math.ceil(box.x + reachX));
    const lastY = Math.min(this.height, Math.ceil(box.y + reachY));
    for (let y = Math.max(0, Math.floor(box.y - reachY)); y < lastY; y++) {
      for (let x = Math.max(0, Math.floor(box.x - reachX)); x < lastX; x++) {
        const dx = x + 0.5 - box.x;
        const dy = y + 0.5 - box.y;
        const along = dx * cos + dy * sin;
        const across = dy * cos - dx * sin;
        if (Math.abs(along) <= box.halfLength && Math.abs(across) <= box.halfWidth) paint(x, y, along, across);
      }
    }
  }

  #near(cx: number, cy: number, radius: number, visit: (x: number, y: number) => void): void {
    for (let y = Math.max(0, Math.floor(cy - radius)); y < Math.min(this.height, cy + radius); y++) {
      for (let x = Math.max(0, Math.floor(cx - radius)); x < Math.min(this.width, cx + radius); x++) visit(x, y);
    }
  }

  #set(x: number, y: number, colour: Colour): void {
    const plane = this.width * this.height;
    const i = y * this.width + x;
    this.#values[i] = colour[0];
    this.#values[plane + i] = colour[1];
    this.#values[2 * plane + i] = colour[2];
  }

  #scale(x: number, y: number, light: number): void {
    const plane = this.width * this.height;
    const i = y * this.width + x;
    for (let band = 0; band < 3; band++) this.#values[band * plane + i] = this.#values[band * plane + i]! * light;
  }
}
