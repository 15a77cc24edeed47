/** What a layer of footprints holds besides polygons. */

import { type Feature, GeoLearnError, type OnWarning } from "@geolearn/core";

/** Counts geometries; features without one are as good as polygons that have no solution. */
export class GeometryKinds {
  readonly #others = new Map<string, number>();
  #features = 0;
  #polygons = 0;

  add({ geometry }: Feature): void {
    this.#features++;
    if (geometry === null) return;
    const { type } = geometry;
    if (type === "Polygon" || type === "MultiPolygon") this.#polygons++;
    else this.#others.set(type, (this.#others.get(type) ?? 0) + 1);
  }

  /** Tells of those that are no polygons. @throws GEOMETRY_INVALID where there is no polygon among them */
  tell(name: string, onWarning: OnWarning | undefined): void {
    if (this.#others.size === 0) return;
    const found = [...this.#others].map(([type, count]) => `${count} ${type}`).join(", ");
    if (this.#polygons === 0) {
      throw new GeoLearnError("GEOMETRY_INVALID", `${name} holds no polygon but ${found}; only polygons have walls to be made regular.`, {
        hint: "Give a layer of polygons.",
        data: { found: Object.fromEntries(this.#others) },
      });
    }
    onWarning?.({
      code: "FEATURES_NOT_POLYGONS",
      message: `${[...this.#others.values()].reduce((sum, count) => sum + count)} of ${this.#features} features of ${name} are no polygons (${found}); they are copied, with STATUS 1.`,
      hint: "Leave them out if the result is to hold footprints only.",
    });
  }
}
