/**
 * Features on their way to a file whose head must know them all: they wait in a temporary file beside it while types of
 * columns and extent are found, and are then read again. In memory are only a few numbers for each.
 */

import type { Geometry } from "geojson";

import type { Bounds } from "../affine.ts";
import { AppendFile } from "./append-file.ts";
import { geometryBounds, unionBounds } from "./bounds.ts";
import type { Feature, FieldValue } from "./features.ts";
import { type FieldType, joinFieldTypes } from "./field-types.ts";
import { forEachPosition } from "./positions.ts";
import { uniqueNames } from "./unique-names.ts";
import { hasHeight, readWkb, writeWkb } from "./wkb.ts";

/** A column of the features that wait. */
export interface SpooledField {
  /** As the properties name it. */
  readonly name: string;
  /** As the file names it: not empty, and unlike all others. */
  readonly column: string;
  /** Null where all values are null. */
  readonly type: FieldType | null;
}

/** A type of geometry. */
export type GeometryKind = Geometry["type"] | `${Geometry["type"]} Z`;

/** A feature that waits. */
export interface SpooledFeature {
  /** Its number, in the order in which they came. */
  readonly index: number;
  /** Its geometry as well-known binary, or null. */
  readonly wkb: Uint8Array | null;
  readonly properties: Feature["properties"];
}

/** Bytes before a feature, which say how many the geometry takes. */
const HEAD_BYTES = 4;
/** Bytes read at once. */
const BLOCK = 1 << 16;
const GROWTH = 1024;

/** The features, and what is known of them. */
export class FeatureSpool {
  readonly #file: AppendFile;
  readonly #types = new Map<string, FieldType | null>();
  readonly #geometryKinds = new Set<GeometryKind>();
  #offsets = new Float64Array(GROWTH);
  #boxes = new Float64Array(4 * GROWTH);
  #count = 0;
  #block: Uint8Array = new Uint8Array();
  #blockAt = 0;
  #bounds: Bounds | null = null;
  #placeless = 0;
  #heights: [number, number] | null = null;

  private constructor(file: AppendFile) {
    this.#file = file;
  }

  /** Takes in features that will be written to `path`; the caller closes it. */
  static async fill(features: AsyncIterable<Feature>, path: string, signal: AbortSignal | undefined): Promise<FeatureSpool> {
    const spool = new FeatureSpool(await AppendFile.create(`${path}.rows`));
    try {
      for await (const feature of features) {
        signal?.throwIfAborted();
        await spool.#add(feature);
      }
      return spool;
    } catch (error) {
      await spool.close();
      throw error;
    }
  }

  get count(): number {
    return this.#count;
  }

  /** The box around all of them. */
  get bounds(): Bounds | null {
    return this.#bounds;
  }

  /** How many have no position: no geometry, or an empty one. */
  get placeless(): number {
    return this.#placeless;
  }

  /** True when any position has a height. */
  get height(): boolean {
    return this.#heights !== null;
  }

  /** The box around all of them with the heights where there are any: `[xmin, ymin, zmin, xmax, ymax, zmax]`. */
  get extent(): readonly number[] | null {
    if (this.#bounds === null || this.#heights === null) return this.#bounds;
    const [xmin, ymin, xmax, ymax] = this.#bounds;
    const [zmin, zmax] = this.#heights;
    return [xmin, ymin, zmin, xmax, ymax, zmax];
  }

  /** Types of the geometries, with a Z where they have heights. */
  get geometryKinds(): ReadonlySet<GeometryKind> {
    return this.#geometryKinds;
  }

  /** The columns, in the order in which they came. */
  get fields(): SpooledField[] {
    const columns = uniqueNames([...this.#types.keys()].map((name) => name.replaceAll("\0", "") || "field"));
    return [...this.#types].map(([name, type], i) => ({ name, column: columns[i]!, type }));
  }

  /** Boxes of the features, four numbers each; NaN for those without a position. */
  get boxes(): Float64Array {
    return this.#boxes.subarray(0, 4 * this.#count);
  }

  /**
   * Features in the order of `indices`, in lists of a few thousand: those of a list are read as they stand in the file, so
   * that any order costs about as much as the order in which they came.
   */
  async *read(indices: Uint32Array | null, most: number, mostBytes: number): AsyncGenerator<SpooledFeature[]> {
    for (let first = 0; first < this.#count;) {
      const wanted: number[] = [];
      for (let bytes = 0; first + wanted.length < this.#count && wanted.length < most && bytes < mostBytes;) {
        const index = indices?.[first + wanted.length] ?? first + wanted.length;
        wanted.push(index);
        bytes += this.#end(index) - this.#offsets[index]!;
      }
      const byPlace = wanted.map((index, place) => ({ index, place })).sort((a, b) => a.index - b.index);
      const features = new Array<SpooledFeature>(wanted.length);
      for (const { index, place } of byPlace) features[place] = await this.#readOne(index);
      yield features;
      first += wanted.length;
    }
  }

  #end(index: number): number {
    return index + 1 < this.#count ? this.#offsets[index + 1]! : this.#file.length;
  }

  async #readOne(index: number): Promise<SpooledFeature> {
    const at = this.#offsets[index]!;
    const end = this.#end(index);
    if (at < this.#blockAt || end > this.#blockAt + this.#block.length) {
      this.#blockAt = at;
      this.#block = await this.#file.read(at, Math.max(end - at, BLOCK));
    }
    const bytes = this.#block.subarray(at - this.#blockAt, end - this.#blockAt);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const wkbBytes = view.getUint32(0, true);
    const text = new TextDecoder().decode(bytes.subarray(HEAD_BYTES + wkbBytes));
    return {
      index,
      wkb: wkbBytes === 0 ? null : bytes.subarray(HEAD_BYTES, HEAD_BYTES + wkbBytes),
      properties: Object.fromEntries(JSON.parse(text) as [string, FieldValue][]),
    };
  }

  /** Removes the temporary file. */
  close(): Promise<void> {
    return this.#file.abort();
  }

  async #add({ geometry, properties }: Feature): Promise<void> {
    if (this.#count === this.#offsets.length) this.#grow();
    const bounds = geometryBounds(geometry);
    this.#offsets[this.#count] = this.#file.length;
    this.#boxes.set(bounds ?? [NaN, NaN, NaN, NaN], 4 * this.#count);
    this.#count += 1;
    this.#bounds = unionBounds(this.#bounds, bounds);
    if (bounds === null) this.#placeless += 1;
    if (geometry !== null) {
      const high = hasHeight(geometry);
      this.#geometryKinds.add(`${geometry.type}${high ? " Z" : ""}`);
      if (high) forEachPosition(geometry, ([, , z = 0]) => this.#addHeight(z));
    }
    for (const [name, value] of Object.entries(properties)) this.#types.set(name, joinFieldTypes(this.#types.get(name) ?? null, value));
    const wkb = geometry === null ? new Uint8Array() : writeWkb(geometry);
    const text = new TextEncoder().encode(JSON.stringify(Object.entries(properties)));
    const head = new Uint8Array(HEAD_BYTES);
    new DataView(head.buffer).setUint32(0, wkb.length, true);
    await this.#file.append(head);
    await this.#file.append(wkb);
    await this.#file.append(text);
  }

  #addHeight(z: number): void {
    const [least, largest] = this.#heights ?? [z, z];
    this.#heights = [Math.min(least, z), Math.max(largest, z)];
  }

  #grow(): void {
    const [offsets, boxes] = [this.#offsets, this.#boxes];
    this.#offsets = new Float64Array(2 * offsets.length);
    this.#offsets.set(offsets);
    this.#boxes = new Float64Array(2 * boxes.length);
    this.#boxes.set(boxes);
  }
}

/** The geometry of a feature that waited. */
export function spooledGeometry({ wkb }: SpooledFeature, where: string): Geometry | null {
  return wkb === null ? null : readWkb(wkb, where);
}
